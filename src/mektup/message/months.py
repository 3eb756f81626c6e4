"""The names of months in English and the other languages of mail programs, if a name means only one month."""

from __future__ import annotations

_ENGLISH = "jan feb mar apr may jun jul aug sep oct nov dec"

_OTHERS = (
    # Turkish
    "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    # German
    "jän feb mär apr mai jun jul aug sep okt nov dez",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "jänner feber mrz april mai juni juli august sept oktober november dezember",
    # French
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "jan fév mars avr mai juin juil aou sept oct nov dec",
    # Spanish, Portuguese, Italian
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    # Dutch, Swedish, Danish, Norwegian
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar marts april maj juni juli august september oktober november december",
    # Polish, without the names that mean another month in Croatian
    "sty lut mar kwi maj cze - sie wrz paź - gru",
    # Russian
    "янв фев мар апр май июн июл авг сен окт ноя дек",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
)


def _table() -> dict[str, int]:
    found: dict[str, set[int]] = {}
    for names in (_ENGLISH, *_OTHERS):
        for number, name in enumerate(names.split(), 1):
            found.setdefault(name, set()).add(number)
            # Unlabelled octets of ISO 8859-9 are read as ISO 8859-1.
            turkish = name.encode("iso8859-9", "ignore").decode("latin-1")
            if len(turkish) == len(name) > 1:
                found.setdefault(turkish, set()).add(number)
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1 and name != "-"}


_NUMBERS = _table()
_SHORT = {name: number for number, name in enumerate(_ENGLISH.split(), 1)}


def month_number(word: str) -> int | None:
    """The number of the month that *word* names, 1 to 12; three letters are enough for an English name."""
    if number := _SHORT.get(word.lower()):
        return number
    name = word.casefold().replace("i\N{COMBINING DOT ABOVE}", "i")
    return _NUMBERS.get(name) or _SHORT.get(name[:3])
