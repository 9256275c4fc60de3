"""French, as callers speak it and recognisers write it."""

from agents.understanding.language_pack import DayPart, Intent, LanguagePack, TimePattern
from agents.understanding.language_text import Apostrophe

_UNITS = ("zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize").split()
_TENS = {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60}
_REGIONAL_TENS = {"septante": 70, "huitante": 80, "octante": 80, "nonante": 90}
_RANKS = {
    "premier": 1, "premiere": 1, "deuxieme": 2, "second": 2, "troisieme": 3, "quatrieme": 4, "cinquieme": 5,
}  # fmt: skip


def _below_twenty() -> dict[str, int]:
    return {word: value for value, word in enumerate(_UNITS)} | {"dix sept": 17, "dix huit": 18, "dix neuf": 19}


def _cardinals() -> dict[str, int]:
    small = _below_twenty()
    table = {**small, "une": 1, **_TENS, **_REGIONAL_TENS}
    for tens, base in (_TENS | _REGIONAL_TENS).items():
        table |= {f"{tens} {word}": base + value for word, value in small.items() if 1 <= value <= 9}
        table |= {f"{tens} et un": base + 1, f"{tens} et une": base + 1}
    table |= {f"soixante {word}": 60 + value for word, value in small.items() if value >= 10}
    table["soixante et onze"] = 71
    for eighty in ("quatre vingt", "quatre vingts"):
        table[eighty] = 80
        table |= {f"{eighty} {word}": 80 + value for word, value in small.items() if value >= 1}
    return table


_APPOINTMENT = r"(?:rendez vous|rdv|rendezvous|reservation|creneau)"
_PAIN = r"(?:mal|douleur|douleurs|fait mal|souffre|lance)"

PACK = LanguagePack(
    code="fr",
    apostrophe=Apostrophe.SPLITS,
    markers=frozenset(
        "le la les l un une des du de d et est ce que qu quoi vous je j c ca pour avec mon ma mes votre vos nous "
        "oui non merci bonjour combien quel quelle quels heure heures suis voudrais pouvez avez etes a au numero m "
        "appelle rendez mardi demain parlez francais sur il y ou en dans prends prendre bien si plait".split()
    ),
    common=frozenset(
        "a ai aide aimerais alors an ans appelle appel apres as attendez au aucun aujourd aussi autre autres aux "
        "avais avec avez avoir avons beaucoup besoin bien bon bonjour bonne bonsoir bref c ca car ce cela ces cest "
        "cet cette chez combien comme comment compris coute d dans de dent dents des desole desolee deux dire "
        "disponible dites docteur donc dont du elle en encore ensuite est et etait ete etes etre euh euros exact "
        "excusez faire fait faut fois francais gens heure heures hui ici il ils j je jour l la le les leur leurs "
        "lui m ma mais mal matin me mediation merci mes moi moins moment mon mot n ne non normal nos notre nous "
        "numero oh ok on ont ou oui ouvert par parce pardon parking parle parler parlez pas passer pense peu peut "
        "peux plait plus plutot pour pourquoi pouvez prendre prends prenez prix puis qu quand quel quelle quelles "
        "quels question qui quoi rappeler reellement rendez rien s sa sais sait se sera ses si soir soit sommes "
        "son sont suis sur t ta tant tard te telephone temps tes toi ton toujours tous tout toute toutes tres trop "
        "tu un une va vais vers veux veut viens vite voila voir vos votre voudrais vous vrai vraiment y".split()
    ),
    stop=frozenset(
        "a ai alors au aux avec avez avoir bien bonjour c ca ce cela ces cet cette comment d dans de des dire "
        "dites donc du elle en encore est et etes etre euh faire fait fois il ils j je l la le les leur lui m ma "
        "mais me mes moi mon n ne nous ok on ou oui non par pas peut peux plait pour pouvez pouvoir qu quand que "
        "quel quelle quels qui quoi s sais se ses si son sont suis sur t te tout tres tu un une va vais veux vos "
        "votre voudrais vous y combien savoir aimerais chez comme moment peu voila puis merci avait faut est".split()
    ),
    suffixes=("ations", "ation", "ements", "ement", "iers", "ier", "ees", "ee", "ages", "er", "es", "ez", "s", "e"),
    cardinals=_cardinals(),
    ordinals=_RANKS,
    ordinal_suffixes=frozenset({"er", "eme", "ere"}),
    misheard_digits={"o": "0", "cette": "7", "set": "7", "sis": "6", "si": "6", "de": "2"},
    digit_repeats={"double": 2, "deux fois": 2, "triple": 3},
    hundred=frozenset(),
    plus=frozenset({"plus"}),
    # Heard by Whisper base from clear callers, some of them every time; in this order.
    homophones=(
        (r"[àa] qu(?:'|’| )?el(?:le)?s? (?:l['’]heures?|leurs?|heures?|ordres?|or)\b", "à quelle heure"),
        (r"(quelle heure|quand|comment|où|que) (\w+)e et vous\b", r"\1 \2ez-vous"),
        (r"qu['’]on vient (?=co[uû])", "combien "),
        (r"qu['’]elle(s?) (?=est|sont)", r"quelle\1 "),
        (r"je dis,? (?=(?:[àa]|vers) (?:\d|midi)|matin\b|apr[èe]s[ -]midi\b|prochain\b|soir\b)", "jeudi "),
        (r"vendre ?dit?s?,? (?=(?:[àa]|vers) |matin\b|apr[èe]s[ -]midi\b|prochain\b|soir\b)", "vendredi "),
    ),
    misheard_figures=(
        (r"60?10(\d)", r"7\1"),
        (r"60?1(\d)", r"7\1"),
        (r"42010(\d)", r"9\1"),
        (r"4201(\d)", r"9\1"),
        (r"420(\d)", r"8\1"),
    ),
    phone_filler=frozenset({"euh", "puis", "et", "alors", "le", "tiret"}),
    weekdays=(
        ("lundi", "lundis"),
        ("mardi", "mardis"),
        ("mercredi", "mercredis"),
        ("jeudi", "jeudis"),
        ("vendredi", "vendredis"),
        ("samedi", "samedis"),
        ("dimanche", "dimanches"),
    ),
    months=(
        ("janvier",),
        ("fevrier",),
        ("mars",),
        ("avril",),
        ("mai",),
        ("juin",),
        ("juillet",),
        ("aout",),
        ("septembre",),
        ("octobre",),
        ("novembre",),
        ("decembre",),
    ),
    relative_days={
        "aujourd hui": 0,
        "aujourdhui": 0,
        "ce matin": 0,
        "cet apres midi": 0,
        "cette apres midi": 0,
        "ce soir": 0,
        "demain": 1,
        "apres demain": 2,
        "le lendemain": 1,
    },
    day_patterns=(
        r"(?:{weekday} )?(?:le )?{day}(?:th)? {month}",
        r"{day}/{month_number}(?:/\d+)?",
        r"{weekday} (?:le )?{day}(?:th)?(?! ?(?:heures?|h\b|:))",
        r"le {day}(?:th)?(?! ?(?:heures?|h\b|:|creneau|rendez|\d|disponible|possible|choix))",
        r"dans {count} (?P<unit>jours?|semaines?)",
        r"{weekday} (?P<week_later>en huit|en 8|de la semaine prochaine)",
        r"{weekday}(?: (?P<next>prochain))?",
    ),
    weeks_ahead={"cette semaine": 0, "la semaine prochaine": 1, "semaine prochaine": 1, "la semaine d apres": 1},
    week_units=frozenset({"semaine", "semaines"}),
    time_patterns=(
        TimePattern(r"(?:a |vers )?{h} ?(?:heures?|h)(?: {m})?"),
        TimePattern(r"(?:a |vers )?{h} ?(?:heures?|h) et demie?", minutes=30),
        TimePattern(r"(?:a |vers )?{h} ?(?:heures?|h) et quart", minutes=15),
        TimePattern(r"(?:a |vers )?{h} ?(?:heures?|h) moins (?:le |1 )?quart", minutes=-15),
        TimePattern(r"(?:a |vers )?{h} ?(?:heures?|h) moins {m}", sign=-1),
        TimePattern(r"(?:a |vers )?{h}:{m}"),
        TimePattern(r"\| (?:a |vers |pour )?{h}(?: {m})?"),
        TimePattern(r"(?:a |vers )?midi(?: pile)?", hour=12),
        TimePattern(r"(?:a |vers )?midi et demie?", hour=12, minutes=30),
        TimePattern(r"(?:a |vers )?midi et quart", hour=12, minutes=15),
        TimePattern(r"(?:a |vers )?midi 30", hour=12, minutes=30),
    ),
    bare_time_patterns=(TimePattern(r"(?P<h>0\d|[2-9]|1\d|2[0-4])(?:[ :]{m})?"),),
    day_parts={
        "matin": DayPart(0, 12),
        "matinee": DayPart(0, 12),
        "apres midi": DayPart(12, 18),
        "soir": DayPart(17, 22),
        "soiree": DayPart(17, 22),
        "fin de journee": DayPart(16, 20),
        "debut d apres midi": DayPart(12, 15),
        "heure du dejeuner": DayPart(12, 14),
        "entre midi et deux": DayPart(12, 14),
    },
    after_words=r"apres|a partir de|pas avant|des",
    before_words=r"avant|jusqu a|pas apres",
    earliest=r"(?:le |au )?plus (?:vite|tot)(?: possible)?|des que possible|(?:le |la )?(?:premier|premiere|prochain|"
    r"prochaine) (?:creneau|rendez vous|place|disponibilite|date)(?: disponible| possible| libre)?|au plus vite|"
    r"rapidement|tout de suite|des que vous pouvez",
    any_choice=r"n importe(?: le\S*| quand)?|peu importe|comme vous voulez|ca m est egal|les deux(?: me vont)?|"
    r"l un ou l autre|choisissez|celui que vous voulez",
    choices={
        "premier": 0,
        "premiere": 0,
        "le plus tot": 0,
        "deuxieme": 1,
        "second": 1,
        "seconde": 1,
        "troisieme": 2,
        "dernier": -1,
        "derniere": -1,
        "le plus tard": -1,
    },
    yes=r"oui|ouais|ouai|ouaip|we|wi|ui|si si|mais si|ok|okay|d accord|dac|exact|exactement|parfait|super|"
    r"tout a fait|absolument|"
    r"c est (?:bien )?(?:ca|cela|bon|parfait|exact|correct|juste|moi)|(?:tres )?bien sur|tres bien|ca marche|"
    r"ca me va|"
    r"ca me convient|ca ira|volontiers|allez y|avec plaisir|entendu|effectivement|correct|je confirme|je veux bien|"
    r"^s il vous plait$|voila|impeccable|nickel|genial",
    no=r"non|nan|nn|pas (?:vraiment|du tout|exactement|ca|cela)|(?:c est|ce n est|c etait|n est) pas|faux|incorrect|"
    r"surtout pas|ni l un ni l autre|aucun|aucune|je ne (?:veux|peux)|ca ne (?:me )?(?:va|convient)|ca me va pas|"
    r"j ai dit|pas celui",
    no_but_fine=r"non (?:non )?(?:c est|tout est|ca va|ca me va) ?(?:bon|bien|parfait|ca|exact|correct|juste)?"
    r"(?! pas)(?=$| merci| oui)|pas de (?:probleme|souci)s?|aucun (?:probleme|souci)",
    corrects=r"plutot|en fait|enfin|je voulais dire|je veux dire|pardon c est|changez|mettez|avec un [a-z]|"
    r"avec une [a-z]|au lieu|j ai dit|finalement|c est pas",
    disputes=r"faux|incorrect|erreur|trompe|trompee|pas (?:bon|correct|exact|ca|cela)|ne va pas",
    fields={
        r"(?:le |la |mon |ma )?(?:jour|date)": "day",
        r"(?:l |le |mon )?(?:heure|horaire)": "time",
        r"(?:le |mon |l )?(?:nom|prenom|orthographe)": "name",
        r"(?:le |mon )?(?:numero|telephone|portable)": "phone",
        r"(?:le |la )?(?:soin|prestation|motif|type)": "service",
    },
    name_intros=(
        r"(?:je )?m appelle",
        r"mon nom (?:c est|est|de famille est|complet est)",
        r"(?:le nom|nom) (?:c est|est)",
        r"au nom(?: de| d)?",
        r"c est(?= \S+ \S+ (?:a l appareil|au telephone|qui parle))",
        r"(?:je suis)(?= (?:madame|monsieur|mademoiselle|m|mme) )",
        r"mon prenom (?:c est|est)",
        r"mon nom|nom",
    ),
    expected_name_intros=(
        r"(?:oui |non |en fait )?(?:c est|ce sera|ca sera|je suis|moi c est|pour|mettez|ici|j ai dit)",
    ),
    name_for=r"pour",
    name_particles=frozenset("de du des le la l d da di van von el al bin ben saint sainte".split()),
    name_stops=frozenset("mon ma et numero telephone tel portable au le a c est je avec point s".split()),
    honorifics=frozenset({"monsieur", "madame", "mademoiselle", "mme", "mr", "m", "docteur", "dr"}),
    spelled_as=r"(?:comme|de) ",
    with_letter=r"avec (?:un |une |1 )(?P<letter>[a-z])",
    letter_names={
        "be": "b",
        "ce": "c",
        "de": "d",
        "effe": "f",
        "ge": "g",
        "ache": "h",
        "hache": "h",
        "ji": "j",
        "ka": "k",
        "elle": "l",
        "aime": "m",
        "aine": "n",
        "haine": "n",
        "pe": "p",
        "cul": "q",
        "ku": "q",
        "erre": "r",
        "air": "r",
        "esse": "s",
        "te": "t",
        "ve": "v",
        "double ve": "w",
        "ixe": "x",
        "i grec": "y",
        "y grec": "y",
        "zede": "z",
        "eu": "e",
        "hu": "u",
    },
    email_at=frozenset({"arobase", "arrobase", "arobas", "at"}),
    email_marks={"point": ".", "dot": ".", "tiret": "-", "souligne": "_", "underscore": "_"},
    language_names={"francais": "fr", "anglais": "en", "espagnol": "es", "arabe": "ar", "darija": "ary"},
    clause_starts=r"(?:et|aussi|mais|puis|sinon)(?= (?:quel|quelle|quels|quelles|combien|comment|quand|ou|est|a|vous|"
    r"avez|faites|c|je|j|il|pouvez|mon|ma|reservez|prenez|puis|votre|qu|pour)(?: |$))",
    question=r"^(?:et |alors |mais |euh |bonjour |oui |donc |ok |d accord )*(?:quel|quelle|quels|quelles|"
    r"combien|comment|"
    r"quand|ou est|ou se|ou sont|ou etes|ou puis|qu est|est ce|a quelle|c est quoi|vous avez|avez vous|faites vous|"
    r"vous faites|vous prenez|prenez vous|acceptez|vous acceptez|y a|il y a|peut on|on peut|puis je|je peux|"
    r"pouvez vous|"
    r"vous pouvez|parlez vous|pourquoi|dois je|faut il|il faut|je voudrais savoir|j aimerais savoir|"
    r"je voulais savoir|qui|"
    r"jusqu a quand)",
    intents={
        Intent.DANGER: r"(?:mal|difficulte|peine)s? a respirer|respire(?:r)? (?:mal|plus)|inconscient|"
        r"inconsciente|evanoui|"
        r"evanouie|douleur (?:a|dans) la poitrine|saigne (?:beaucoup|enormement|sans arret)|hemorragie|"
        r"(?:ne |n )?arrete pas de saigner",
        Intent.EMERGENCY: r"urgence|urgences|urgent|urgente|rage de dents?|j ai (?:tres |super |vraiment |trop |si )?"
        r"(?:\S+ )?mal(?! entendu| compris)|"
        rf"(?:dent|dents|gencive|gencives|machoire|bouche|couronne)(?: \S+){{0,4}} {_PAIN}|"
        rf"{_PAIN} (?:a |aux? |de |la |une |dans )(?:\S+ )?(?:dent|dents|gencive|gencives|machoire|bouche)|"
        r"(?:casse|cassee|perdu|perdue|fele|felee|tombe|tombee)(?: \S+){0,4} (?:dent|dents|couronne|plombage)|"
        r"(?:dent|couronne|plombage)(?: \S+){0,4} (?:casse|cassee|tombe|tombee|perdue|felee|bouge|decollee)|"
        r"gonfle|gonflee|gonflement|abces|je souffre|saigne|saignement|douleur(?:s)? (?:atroce|terrible|forte|"
        r"intense)",
        Intent.COMPLAINT: r"plaindre|plainte|reclamation|inadmissible|inacceptable|scandaleux|decu|decue|mecontent|"
        r"mecontente|pas content|pas contente|pas satisfait|pas satisfaite|furieux|furieuse|en colere|"
        r"rembourse(?:z)? moi|"
        r"remboursement immediat|avocat|honteux|rate mon|trop facture|surfacture",
        Intent.IDENTITY: r"(?:etes vous|vous etes|es tu|tu es|c est|je parle a)(?: \S+){0,3} (?:robot|machine|"
        r"ordinateur|"
        r"humain|humaine|intelligence artificielle|ia|vraie personne|repondeur)|(?:qui etes vous|vous etes qui|"
        r"c est qui|"
        r"a qui (?:je parle|ai je)|qui est a l appareil)|comment vous appelez|vous vous appelez comment",
        Intent.LANGUAGE: r"(?:parlez|parler|parle|parlent)(?: \S+){0,4} (?P<language>francais|anglais|espagnol|"
        r"arabe|darija)|"
        r"en (?P<other>francais|anglais|espagnol|arabe|darija)",
        Intent.HUMAN: r"(?:parler|passer|passez|joindre|avoir|veux|voudrais|transferer|transferez|"
        r"contacter)(?: \S+){0,4} "
        r"(?:quelqu un|personne|humain|conseiller|conseillere|secretaire|secretariat|accueil|responsable|"
        r"receptionniste|operateur|standard)|(?:parler|passer|passez)(?: \S+){0,3} (?:dentiste|docteur|equipe)|"
        r"vraie personne|un humain|etre humain",
        Intent.MESSAGE: r"(?:laisser|prendre|transmettre|passer)(?: \S+){0,3} message|rappelez moi|me rappeler|"
        r"qu on me rappelle|etre rappele|etre rappelee|me rappelle",
        Intent.CANCEL: r"(?:annuler|annulez|supprimer|decommander|annule)(?: \S+){0,4}|"
        r"(?:ne |n )?(?:pourrai|peux|pourrais) pas venir",
        Intent.CHANGE: rf"(?:changer|deplacer|decaler|reporter|modifier|deplacez|reportez|decalez)(?: \S+){{0,4}} "
        rf"{_APPOINTMENT}|(?:le|la) (?:deplacer|decaler|reporter)",
        Intent.OPEN_NOW: r"(?:vous etes|etes vous|c est|encore)(?: \S+)? ouvert(?:s|e|es)? (?:maintenant|la|"
        r"en ce moment|"
        r"actuellement)|encore ouvert(?:s|e|es)?|(?:vous etes|etes vous) ouvert(?:s|e|es)?$",
        Intent.HOURS: r"ouvre|ouvrez|ouvert|ouverts|ouverte|ouvertes|ouverture|ouvrent|ferme|fermez|ferment|"
        r"fermes|fermeture|"
        r"horaires?|jours d ouverture|fermer|ouvrir|jusqu a quelle heure",
        Intent.PRICE: r"combien (?:ca |cela |est ce que ca )?(?:coute|coutent|vaut|fait)|combien(?! de)|prix|"
        r"tarifs?|coute|"
        r"coutent|couter|cout|honoraires|cher|chere|quel montant",
        Intent.SERVICES: r"(?:quels|quelles|liste)(?: \S+){0,4} (?:soins|services|prestations|traitements)|"
        r"(?:vos|les) (?:soins|services|prestations)|que faites vous|qu est ce que vous (?:faites|proposez)$|"
        r"vous faites quoi|que proposez vous",
        Intent.OFFERS: r"(?:faites vous|vous faites|proposez vous|vous proposez|est ce que vous (?:faites|"
        r"proposez|avez)|"
        r"vous avez|avez vous|posez vous|vous posez|y a t il|il y a)",
        Intent.ADDRESS: r"(?:votre|l|quelle) adresse|adresse du|adresse|ou (?:etes vous|vous etes|"
        r"est ce que vous etes|"
        r"se (?:trouve|situe)|se trouvent|est le cabinet|est la clinique|vous trouvez vous|vous situez vous)|"
        r"vous etes (?:ou|situes?)|situee?s?|comment (?:venir|vous trouver|y aller|on vient|je viens)|"
        r"c est ou|localisation",
        Intent.PHONE: r"(?:votre|quel|le) (?:numero|telephone)(?: de telephone)?(?: de la clinique| du cabinet|"
        r" est)?(?! c est)"
        r"(?=$| s il| de la clinique| du cabinet|$)|(?:quel numero|a quel numero)(?: \S+){0,4}",
        Intent.BOOK: rf"(?:prendre|avoir|veux|voudrais|reserver|prenez|prends|fixer|souhaite|souhaiterais|"
        rf"aimerais|obtenir|"
        rf"besoin|donner|donnez|pour|un)(?: \S+){{0,4}} {_APPOINTMENT}|reserve(?:r|z)?(?: moi)?|"
        rf"^{_APPOINTMENT}|(?:vous avez|avez vous|vous auriez|auriez vous|il y a|y a t il|il vous reste|reste t il)"
        r"(?: \S+){0,4} (?:place|places|disponibilites?|creneau|creneaux|dispo|libre|dispos|disponible)|"
        r"(?:prochain|premier|prochaine|premiere)(?: \S+)? (?:creneau|rendez vous|disponibilite|place|rdv)|"
        r"disponibilites?|"
        r"voir (?:le|un) (?:dentiste|docteur)|(?:quand )(?:est ce que )?(?:je peux|puis je) (?:venir|passer)|"
        r"inscrivez moi|notez moi|mettez moi|prenez moi|prends moi",
        Intent.WANTS: r"j ai besoin|je veux|je voudrais|j aimerais|il me faut(?:drait)?|je souhaite(?:rais)?|"
        r"c est pour|"
        r"je viens pour|j appelle pour|je prends|est ce que je (?:peux|pourrais) avoir|pour un|pour une",
        Intent.REPEAT: r"repeter|repetez|vous (?:avez|aviez) dit quoi|qu est ce que vous (?:avez dit|dites)|"
        r"comment$|pardon$|"
        r"(?:pas|mal) (?:bien )?(?:entendu|compris)|redire|redites|encore une fois|vous dites$",
        Intent.SLOWER: r"plus lentement|moins vite|doucement|trop vite|ralentir|ralentissez",
        Intent.WAIT: r"(?:une |1 |un )?(?:petite )?(?:seconde|minute)s?|un (?:petit )?(?:moment|instant)|"
        r"attendez|attends|"
        r"patientez|ne quittez pas|laissez moi (?:voir|regarder|verifier|reflechir)|je (?:regarde|verifie|"
        r"cherche|reflechis)",
        Intent.THANKS: r"merci(?: beaucoup| bien)?|je vous remercie",
        Intent.BYE: r"au revoir|a bientot|bonne (?:journee|soiree|nuit|fin de journee)|c est tout|ce sera tout|"
        r"ca sera tout|rien d autre|a mardi|adieu|salut a|a plus tard|ciao|c est bon pour moi",
        Intent.GREET: r"bonjour|bonsoir|allo|salut|coucou|hello",
    },
    opens=r"ouvre\w*|ouvert\w*|ouvrir|ouvrent|commence\w*",
    closes=r"ferme\w*|jusqu a (?:quelle heure|quand)|tard",
    asks_time=r"a quelle heure|quand|des quelle heure",
    complaints={
        "treatment_result": r"(?:soin|couronne|plombage|implant|travail|blanchiment|resultat|"
        r"dentiste)(?: \S+){0,5} (?:rate|"
        r"ratee|mal|mauvais|mauvaise|catastrophe|nul|nulle|pire)|rate mon",
        "wait_time": r"attendu(?: \S+){0,5}|attente|retard",
        "treatment_cost": r"facture(?:\S*)|trop cher|surfacture|rembours\w*|prix",
        "appointment_cancelled": r"(?:avez|a ete|est) annule\S*|annule mon",
        "angry_patient": r"furieux|furieuse|inadmissible|scandaleux|honteux|avocat|en colere",
    },
    feminine=r"\S*(?:tion|sion|ence|ance|ee|ie|ure|te|ette|onne|ese|ade|esse|iere|euse|ite)|radio|dent|visite|"
    r"couronne",
)
