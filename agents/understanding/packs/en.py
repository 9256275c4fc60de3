"""English, as callers speak it and recognisers write it."""

from agents.understanding.language_pack import DayPart, Intent, LanguagePack, TimePattern
from agents.understanding.language_text import Apostrophe

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
         "ninety": 90}  # fmt: skip
_RANKS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def _cardinals() -> dict[str, int]:
    table = {word: value for value, word in enumerate(_UNITS)}
    table |= {"nought": 0, **_TENS}
    for tens, base in _TENS.items():
        table |= {f"{tens} {_UNITS[unit]}": base + unit for unit in range(1, 10)}
    return table


def _ordinals() -> dict[str, int]:
    table = {word: value for value, word in enumerate(_RANKS, start=1)}
    table |= {f"twenty {word}": 20 + value for value, word in enumerate(_RANKS[:9], start=1)}
    return table | {"thirtieth": 30, "thirty first": 31}


_AM = r"(?:am|a m|in the morning)"
_PM = r"(?:pm|p m|in the afternoon|in the evening|at night)"
_CLOCK = r"(?:o clock|oclock|o'clock)"
_PAIN = r"(?:pain|ache|aching|toothache|hurts?|hurting|agony|killing me|sore)"
_APPOINTMENT = r"(?:appointments?|bookings?|slots?|visits?)"

PACK = LanguagePack(
    code="en",
    apostrophe=Apostrophe.JOINS,
    markers=frozenset(
        "the is are what how much do you your my at and i im id a an to for on of please yes no can could would "
        "like have want it this that me we where when who which book appointment number name close open thanks "
        "thank tomorrow today hello hi there one".split()
    ),
    common=frozenset(
        "a about actually again all also am an and any anything appointment are as ask at available be because "
        "been being billing book booking bring but by bye call calling can cant change check close come could day "
        "did do does doing dont done english feeling fine for free french from get give go going good goodbye got "
        "great had has have hello help hello here hey hi hold how i id if ill im in interested is isnt it its ivd "
        "just keep killing know leave let like looking lot make many may maybe me mean meaning might mind minute "
        "moment more morning much my name need new next no nope not nothing now number of off oh ok okay on one "
        "only open or other our out pain parking pay people perfect phone please possible price question really "
        "remember right same say see service she should so some someone something soon sorry speak still sure take "
        "talk tell than thank thanks that thats the their them then there these they thing think this those time "
        "to today tomorrow too tooth two uh um under until up us very wait wanna want was wasnt we well were what "
        "whats when where which who why will with would wrong yeah yep yes yet you your youre hours price prices "
        "cost".split()
    ),
    stop=frozenset(
        "a about an and any are as at be been but by can could do does did for from get got has have hello hi how "
        "i id if ill im in is it its just me my of on or our please so some tell than that the their them there "
        "these they this to uh um us much many was we well were what whats when where which who will with would "
        "you your youre know like need want also then ok okay give guys thing hey yes no not would should must".split()
    ),
    suffixes=("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ed", "es", "s", "e", "y"),
    cardinals=_cardinals(),
    ordinals=_ordinals(),
    ordinal_suffixes=frozenset({"st", "nd", "rd", "th"}),
    misheard_digits={"oh": "0", "o": "0", "to": "2", "too": "2", "for": "4", "won": "1", "ate": "8"},
    digit_repeats={"double": 2, "triple": 3},
    hundred=frozenset({"hundred"}),
    plus=frozenset({"plus"}),
    phone_filler=frozenset({"um", "uh", "er", "then", "and", "dash"}),
    weekdays=(
        ("monday", "mondays"),
        ("tuesday", "tuesdays", "chewsday"),
        ("wednesday", "wednesdays"),
        ("thursday", "thursdays"),
        ("friday", "fridays"),
        ("saturday", "saturdays"),
        ("sunday", "sundays"),
    ),
    months=(
        ("january", "jan"),
        ("february", "feb"),
        ("march",),
        ("april",),
        ("may",),
        ("june",),
        ("july",),
        ("august", "aug"),
        ("september", "sept"),
        ("october", "oct"),
        ("november", "nov"),
        ("december", "dec"),
    ),
    relative_days={
        "today": 0,
        "tonight": 0,
        "this morning": 0,
        "this afternoon": 0,
        "this evening": 0,
        "tomorrow": 1,
        "the day after tomorrow": 2,
        "day after tomorrow": 2,
        "after tomorrow": 2,
    },
    day_patterns=(
        r"(?:{weekday} )?(?:the )?{day}(?:th)? (?:of )?{month}",
        r"(?:{weekday} )?{month} (?:the )?{day}(?:th)?(?!:)",
        r"{day}/{month_number}(?:/\d+)?",
        r"{weekday} (?:the )?{day}th",
        r"{weekday} (?:the )?(?P<day>1[3-9]|2\d|3[01])",
        r"(?:the|on) {day}th(?! (?:one|1|available|slot|option|time|visit|appointment|of all))",
        r"(?P<day>[12]\d|3[01])th",
        r"on the {day}",
        r"in {count} (?P<unit>days?|weeks?)",
        r"{weekday} (?P<week_later>week)",
        r"a week (?:on |from )?{weekday}(?P<week_later>)",
        r"(?:this|on|coming)? ?(?P<next>next )?{weekday}",
    ),
    weeks_ahead={"this week": 0, "next week": 1, "the week after": 1, "following week": 1},
    week_units=frozenset({"week", "weeks"}),
    time_patterns=(
        TimePattern(rf"(?:at )?{{h}}(?: {_CLOCK})?(?:[ :]{{m}})? {_AM}", half="am"),
        TimePattern(rf"(?:at )?{{h}}(?: {_CLOCK})?(?:[ :]{{m}})? {_PM}", half="pm"),
        TimePattern(r"half (?:past )?{h}", minutes=30),
        TimePattern(r"(?:a )?quarter past {h}", minutes=15),
        TimePattern(r"(?:a )?quarter to {h}", minutes=-15),
        TimePattern(r"{m} past {h}"),
        TimePattern(r"{m} to {h}", sign=-1),
        TimePattern(rf"(?:at )?{{h}} {_CLOCK}"),
        TimePattern(r"(?:at )?{h}:{m}"),
        TimePattern(r"(?:at|around|by|after|before|from) {h}(?: {m})?"),
        TimePattern(r"at {h}(?P<m>[0-5]\d)"),
        TimePattern(r"\| (?:for |about )?{h}(?: {m})?"),
        TimePattern(r"(?:at )?(?:noon|midday)", hour=12),
    ),
    bare_time_patterns=(
        TimePattern(r"(?P<h>0\d|[2-9]|1\d|2[0-4])(?:[ :]{m})?"),
        TimePattern(r"(?P<h>[01]\d|2[0-4])(?P<m>[0-5]\d)"),
        TimePattern(r"(?<!that )(?<!this )(?<!th )(?<!which )(?<!any )(?P<h>1)(?: (?:please|oclock|then|30))?$"),
    ),
    day_parts={
        "morning": DayPart(0, 12),
        "afternoon": DayPart(12, 18),
        "evening": DayPart(17, 22),
        "tonight": DayPart(17, 22),
        "lunchtime": DayPart(12, 14),
        "lunch time": DayPart(12, 14),
        "after work": DayPart(17, 22),
    },
    after_words=r"(?:any ?time )?(?:after|from|later than)",
    before_words=r"(?:any ?time )?(?:before|by|no later than)",
    earliest=r"as soon as possible|asap|the (?:earliest|soonest|first|next) (?:one |slot |appointment |time )?"
    r"(?:available|possible|you have|you can)|(?:first|next|earliest|soonest) (?:available|possible|free|slot|"
    r"appointment)"
    r"|soonest|right away|as early as possible|when is the next",
    any_choice=r"any(?: of them| time| one| day)?|either(?: one| of them| is fine)?|whatever|whichever|"
    r"i dont (?:mind|care)|you (?:choose|pick|decide)|doesnt matter|both (?:work|are fine)",
    choices={
        "first": 0,
        "first one": 0,
        "earlier": 0,
        "earlier one": 0,
        "former": 0,
        "second": 1,
        "second one": 1,
        "third": 2,
        "third one": 2,
        "last one": -1,
        "later one": -1,
        "last": -1,
        "latter": -1,
    },
    yes=r"yes|yeah|yep|yup|yea|ya|jes|yess|sure|ok|okay|correct|right|exactly|absolutely|perfect|great|definitely|"
    r"of course|go ahead|please do|^please$|sounds good|thats (?:it|fine|right|correct|good|great|perfect|me)|fine|"
    r"all right|alright|uh huh|mm hm|mhm|it is|i do|i would|id love to|that works|works for me|lovely|confirmed|"
    r"confirm",
    no=r"no|nope|nah|not really|not quite|not (?:right|correct|exactly|that)|wrong|incorrect|thats not|that isnt|"
    r"it isnt|its not|dont|negative|never mind|nevermind|i said|neither|none",
    no_but_fine=r"no (?:no )?(?:thats|it is|its|everything is|all) (?:right|correct|fine|perfect|good|great|ok|okay)"
    r"|no problem|nothing(?: is)? wrong|not at all",
    corrects=r"actually|rather|instead|i meant|i mean|sorry its|change it to|make it|make that|could it be|"
    r"with an? [a-z]|i said|should be|its not",
    disputes=r"(?<!nothing is )(?<!nothing )(?:wrong|incorrect|mistake|error|not (?:right|correct)|"
    r"isnt (?:right|correct))",
    fields={
        r"(?:the |my |your )?(?:day|date)": "day",
        r"(?:the |my )?(?:time|hour)": "time",
        r"(?:the |my )?(?:name|surname|spelling|first name|last name)": "name",
        r"(?:the |my )?(?:number|phone|phone number|telephone|digits)": "phone",
        r"(?:the )?(?:service|treatment|type)": "service",
    },
    name_intros=(
        r"(?:my|the|his|her) (?:full )?name is(?: actually)?",
        r"(?:my|the) names",
        r"i am called|im called|you can call me|call me",
        r"(?:under|in) the name(?: of)?",
        r"this is(?= \S+ \S+ (?:here|calling|speaking))",
        r"i am(?= \S+ \S+ (?:and|from|calling))",
        r"name is|name",
    ),
    expected_name_intros=(r"its(?: actually)?|it is|this is|im|i am|thats|for|put|under|i said",),
    name_for=r"for",
    name_particles=frozenset("de du da di van von der den la le el al bin ben st saint mac mc o".split()),
    name_stops=frozenset("my and number phone at on or tel telephone mobile is its spelled spelt with dot".split()),
    honorifics=frozenset({"mr", "mrs", "miss", "ms", "doctor", "dr", "madam", "sir"}),
    spelled_as=r"(?:as in|for|like|as) ",
    with_letter=r"(?:with|starts with|starting with|spelled with) (?:an? )?(?P<letter>[a-z])",
    letter_names={
        "double u": "w",
        "zed": "z",
        "zee": "z",
        "aitch": "h",
        "haitch": "h",
        "bee": "b",
        "cee": "c",
        "see": "c",
        "dee": "d",
        "ef": "f",
        "gee": "g",
        "jay": "j",
        "kay": "k",
        "el": "l",
        "em": "m",
        "en": "n",
        "pee": "p",
        "queue": "q",
        "cue": "q",
        "ar": "r",
        "are": "r",
        "ess": "s",
        "tea": "t",
        "tee": "t",
        "you": "u",
        "vee": "v",
        "ex": "x",
        "why": "y",
        "eye": "i",
    },
    email_at=frozenset({"at"}),
    email_marks={"dot": ".", "point": ".", "dash": "-", "hyphen": "-", "underscore": "_"},
    language_names={"english": "en", "french": "fr", "spanish": "es", "arabic": "ar", "darija": "ary"},
    clause_starts=r"(?:and|also|but|then|plus)(?= (?:what|how|when|where|who|which|can|could|do|does|is|are|id|"
    r"i|book|"
    r"please|also|my|would|whats)(?: |$))",
    question=r"^(?:and |so |but |um |uh |well |ok |okay |hi |hello |please )*(?:what|whats|how|when|where|wheres|who|"
    r"which|why|do you|does|is there|are there|is it|is that|is the|is your|are you|are your|can i|can you|could i|"
    r"could you|can we|will you|do i|may i|should i|would you|have you|tell me|i would like to know|id like to know|"
    r"i wanted to know|i was wondering)",
    intents={
        Intent.DANGER: r"(?:cant|cannot|can not|trouble|difficulty|struggling to|hard to) breath(?:e|ing)?|"
        r"unconscious|"
        r"passed out|fainted|chest pain|bleeding (?:heavily|a lot|and it wont stop|wont stop)|"
        r"(?:wont|doesnt|cant) stop (?:the )?bleeding|heavy bleeding",
        Intent.EMERGENCY: r"emergency|urgent|urgently|asap it hurts|tooth ?ache|(?:in|terrible|severe|bad|awful|"
        r"unbearable|horrible|lot of|so much|strong) (?:\S+ )?(?:pain|toothache)|"
        rf"(?:tooth|teeth|gums?|jaw|mouth|crown|filling)(?: \S+){{0,3}} {_PAIN}|"
        r"(?:broke|broken|chipped|cracked|lost|knocked out|knocked)(?: \S+){0,3} (?:tooth|crown|filling|teeth)|"
        r"(?:tooth|crown|filling)(?: \S+){0,3} (?:broke|broken|fell out|came off|came out|fallen out|cracked|loose)|"
        r"swollen|swelling|abscess|bleeding",
        Intent.COMPLAINT: r"complain|complaint|complaints|unacceptable|disappointed|unhappy|not happy|not satisfied|"
        r"furious|angry|scandalous|ridiculous|refund|money back|lawyer|overcharged|botched|rude",
        Intent.IDENTITY: r"are you (?:\S+ ){0,3}(?:robot|bot|machine|computer|human|ai|person|real)|"
        r"(?:who|what) am i (?:speaking|talking)|am i (?:speaking|talking) (?:to|with) (?:\S+ ){0,3}(?:robot|bot|"
        r"machine|computer|human|ai|person)|who is this|whos this|who are you|what is your name|whats your name",
        Intent.LANGUAGE: r"(?:do you |can you |could you |can we |speak |talk |"
        r"anyone )(?:\S+ ){0,4}(?P<language>english|"
        r"french|spanish|arabic|darija)|(?:in|switch to) (?P<other>english|french|spanish|arabic|darija)",
        Intent.HUMAN: r"(?:speak|talk|through|transfer|transferred|connect|pass|get|want|need|give)(?: me)?"
        r"(?: \S+){0,3} (?:someone|somebody|human|person|people|receptionist|reception|operator|manager|"
        r"staff|colleague|secretary|advisor|representative)(?: else)?|(?:speak|talk|put me through|"
        r"connect me)(?: \S+){0,3}"
        r" (?:dentist|doctor|team|agent)|real person|human being|a human|put me through|operator|transfer me",
        Intent.MESSAGE: r"(?:leave|take|pass(?: on)?|give)(?: \S+){0,3} message|call me back|callback|call back|"
        r"ring me back|get back to me",
        Intent.CANCEL: r"(?:cancel|delete|drop)(?: \S+){0,3} (?:appointment|booking|it|that|visit|one)|"
        r"(?:need|want|like|have) to cancel|cannot make it|cant make it|cant come|cancel my|cancel please|^cancel$",
        Intent.CHANGE: rf"(?:change|move|reschedule|postpone|push|shift|modify)(?: \S+){{0,4}} {_APPOINTMENT}|"
        r"reschedule|(?:my|the|an?) appointment (?:i|that|was|is)(?: \S+){0,4} (?:change|move|later|earlier)",
        Intent.OPEN_NOW: r"(?:are you|you|still) (?:guys )?(?:still |currently )?open (?:right )?now|still open|"
        r"are you (?:guys )?open$|open at the moment|currently open",
        Intent.HOURS: r"(?:open|opening|opens|opened|close|closing|closes|closed|clothes|shut|shuts)(?! to )|hours|"
        r"working days|what days",
        Intent.PRICE: r"how much(?! (?:time|pain|longer))|price|prices|pricing|cost|costs|fee|fees|charge|"
        r"rates?|tariffs?|expensive|"
        r"what do i pay|what would i pay",
        Intent.SERVICES: r"(?:what|which) (?:\S+ )?(?:services|treatments|kinds? of)|what (?:do|can) you (?:do|offer|"
        r"treat)(?: there)?(?: for me)?$|list of (?:services|treatments)|your services|services do you",
        Intent.OFFERS: r"(?:do|can|could) (?:you|your|the)(?: \S+){0,3} (?:do|offer|provide|have|make|perform|"
        r"handle|take|treat)|"
        r"(?:is|are) there|you (?:do|offer|provide)|do (?:dentists|they) do",
        Intent.ADDRESS: r"where are you|where is (?:the|your)|wheres (?:the|your)|(?:your|the|clinics) address|"
        r"address|"
        r"located|your location|(?:how (?:do|can) i|to) (?:get (?:there|to you)|find you|reach the clinic)|"
        r"directions",
        Intent.PHONE: r"(?:your|the clinics?|the office) (?:phone |telephone )?number|number to call|"
        r"(?:which|what) number(?: \S+){0,3} (?:call|reach)",
        Intent.BOOK: r"(?:to |can i |could i |please |id like to |can you |ill |lets )?(?:book|reserve|"
        r"schedule)(?: \S+){0,2}|"
        r"booking|(?:make|get|have|need|want|set up|take|fix|like|find|arrange)(?: \S+){0,3} (?:appointment|slot)|"
        r"appointment (?:for|on|with|at|to|please|tomorrow|today)|see (?:the|a) (?:dentist|doctor|hygienist)|"
        r"fit me in|"
        r"squeeze me in|(?:are you|anything|something|a slot|any slots?|availability|any availability|whats|"
        r"whens|do you have|what do you have|have you got)(?: \S+){0,4} (?:available|free|availability|open slots?)|"
        r"next (?:available|free) (?:slot|appointment|time)|when can (?:i come|you see me|you fit me)|"
        r"can i come(?: in)?|"
        r"come in (?:on|at|tomorrow|today|for)|availability|^(?:an )?appointment$",
        Intent.WANTS: r"(?:i need|i want|id like|i would like|can i (?:get|have)|could i (?:get|have)|"
        r"i am calling for|"
        r"im calling for|im looking for|give me|its for|it is for|for a)",
        Intent.REPEAT: r"(?:repeat|say)(?: that| it)?(?: again| please)?$|say that again|come again|pardon(?: me)?|"
        r"what did you say|what was that|(?:didnt|did not|couldnt|cant|dont) (?:hear|catch|get|"
        r"understand)(?: \S+){0,3}|"
        r"repeat(?: that| it| please)?|one more time|sorry what|excuse me what",
        Intent.SLOWER: r"slow down|slower|more slowly|too fast|speak slowly|not so fast",
        Intent.WAIT: r"(?:one|a|just a|just one|give me a|give me one|wait a|hang on a) (?:moment|second|sec|"
        r"minute|min)|"
        r"hold on|hang on|wait|let me (?:check|see|look|think|grab|get|find)|bear with me",
        Intent.THANKS: r"thanks|thank you|cheers|much appreciated|thankyou",
        Intent.BYE: r"bye|goodbye|good bye|bye bye|see you(?: then| later| soon| tuesday)?|thats all|that is all|"
        r"thatll be all|that will be all|nothing else|have a (?:nice|good|great|lovely) (?:day|one|evening|weekend)|"
        r"talk to you later|im done|thats everything|that is everything|good night",
        Intent.GREET: r"hello|hi|hey|good (?:morning|afternoon|evening|day)",
    },
    opens=r"open|opening|opens|start|starts",
    closes=r"close|closing|closes|closed|clothes|shut|shuts|how late|until when|till when|until what time",
    asks_time=r"what time|when|how early",
    complaints={
        "treatment_result": r"(?:treatment|crown|filling|implant|work|whitening|result|"
        r"dentist)(?: \S+){0,5} (?:wrong|bad|"
        r"badly|failed|botched|terrible|awful|worse|again)|botched",
        "wait_time": r"wait(?:ed|ing)?(?: \S+){0,5} (?:hours?|long|ages|forever|minutes)|(?:late|delay)",
        "treatment_cost": r"overcharged|(?:bill|invoice|price|charged?|refund|money)(?: \S+){0,5}|too expensive",
        "appointment_cancelled": r"cancell?ed (?:my|on me|the)|appointment was cancell?ed|you cancell?ed",
        "angry_patient": r"furious|angry|unacceptable|scandalous|ridiculous|lawyer|manager|rude",
    },
    vowels_take_an=True,
)
