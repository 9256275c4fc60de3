"""The few sentences that are said for the model, word for word, in the product's languages.

They fill a gap or replace a claim that is not true, so they are fixed and checked by people. Used by
`agents.llm.responder`.
"""

import datetime as dt

import msgspec


class LlmWording(msgspec.Struct, frozen=True):
    """One language. {day}, {number}, {month} and {time} are filled in `booked`.

    checking: while a tool runs. not_booked, not_sent: in place of a claim that is not true.
    restart: before an answer that begins again. transferring, goodbye: when the model said nothing.
    """

    checking: str
    booked: str
    not_booked: str
    not_sent: str
    restart: str
    transferring: str
    goodbye: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]

    def booked_for(self, starts_at: dt.datetime) -> str:
        """The sentence that confirms an appointment, from the booking alone."""
        return self.booked.format(
            day=self.weekdays[starts_at.weekday()],
            number=starts_at.day,
            month=self.months[starts_at.month - 1],
            time=f"{starts_at:%H:%M}",
        )


_ARABIC_WEEKDAYS = ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد")

WORDING: dict[str, LlmWording] = {
    "en": LlmWording(
        checking="One moment, let me check.",
        booked="Your appointment is booked for {day} {number} {month} at {time}.",
        not_booked="Nothing is booked yet.",
        not_sent="I cannot send messages from this call.",
        restart="Sorry, let me say that again.",
        transferring="I am passing you to a colleague.",
        goodbye="Thank you for calling. Goodbye.",
        weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=(
            *("January", "February", "March", "April", "May", "June"),
            *("July", "August", "September", "October", "November", "December"),
        ),
    ),
    "fr": LlmWording(
        checking="Un instant, je vérifie.",
        booked="Votre rendez-vous est réservé pour le {day} {number} {month} à {time}.",
        not_booked="Rien n'est encore réservé.",
        not_sent="Je ne peux pas envoyer de message pendant cet appel.",
        restart="Pardon, je reprends.",
        transferring="Je vous passe un collègue.",
        goodbye="Merci de votre appel. Au revoir.",
        weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        months=(
            *("janvier", "février", "mars", "avril", "mai", "juin"),
            *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
        ),
    ),
    "es": LlmWording(
        checking="Un momento, lo compruebo.",
        booked="Su cita está reservada para el {day} {number} de {month} a las {time}.",
        not_booked="Todavía no hay nada reservado.",
        not_sent="No puedo enviar mensajes durante esta llamada.",
        restart="Perdone, se lo repito.",
        transferring="Le paso con un compañero.",
        goodbye="Gracias por llamar. Adiós.",
        weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        months=(
            *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
            *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
        ),
    ),
    "ar": LlmWording(
        checking="لحظة من فضلك، أتحقق من ذلك.",
        booked="تم حجز موعدك يوم {day} {number} {month} على الساعة {time}.",
        not_booked="لم يتم حجز أي موعد بعد.",
        not_sent="لا يمكنني إرسال رسائل أثناء هذه المكالمة.",
        restart="عفواً، سأعيد الجواب.",
        transferring="سأحولك إلى زميل.",
        goodbye="شكراً لاتصالك. مع السلامة.",
        weekdays=_ARABIC_WEEKDAYS,
        months=(
            *("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو"),
            *("يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
        ),
    ),
    "ary": LlmWording(
        checking="واحد الدقيقة، غادي نشوف ليك.",
        booked="راه تحجز ليك الموعد نهار {day} {number} {month} مع {time}.",
        not_booked="مازال ما تحجز والو.",
        not_sent="ما نقدرش نصيفط ليك ميساج من هاد المكالمة.",
        restart="سمح ليا، غادي نعاود.",
        transferring="غادي ندوزك لواحد الزميل.",
        goodbye="شكرا على الاتصال. بسلامة.",
        weekdays=_ARABIC_WEEKDAYS,
        months=(
            *("يناير", "فبراير", "مارس", "أبريل", "ماي", "يونيو"),
            *("يوليوز", "غشت", "شتنبر", "أكتوبر", "نونبر", "دجنبر"),
        ),
    ),
}


def wording_for(language: str) -> LlmWording:
    """The sentences of a language, English for one that is not in the product."""
    return WORDING.get(language, WORDING["en"])
