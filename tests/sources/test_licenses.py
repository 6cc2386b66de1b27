"""Licences: no reading is freer than the statement, whatever stands in it; names are those of the deeds themselves."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biovita.sources.licenses import allowed, licenses_within, normalise_license

TERMS = ["BY", "BY-NC", "BY-SA", "BY-ND", "BY-NC-SA", "BY-NC-ND"]
VERSIONS = ["1.0", "2.0", "2.5", "3.0", "4.0"]
# Spellings of the parts; those that are words may stand without "CC".
PARTS = {
    "BY": ["BY", "by", "Attribution", "attribution", "B\u200bY"],
    "NC": ["NC", "NonCommercial", "Non-Commercial", "non commercial", "Noncommercial", "non_commercial use"],
    "SA": ["SA", "ShareAlike", "Share-Alike", "share alike", "Sharealike"],
    "ND": ["ND", "NoDerivs", "NoDerivatives", "No Derivative Works", "no-derivatives"],
}
BETWEEN = ["-", " ", "_", " - ", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212", "/", ", ", "\u00a0", "; ", "+"]
# Titles of CC BY-NC-SA and CC BY-NC-ND as the deeds have them (creativecommons.org, all versions), without the version.
TITLES = {
    "en": ("Attribution-NonCommercial-ShareAlike", "Attribution-NonCommercial-NoDerivs"),
    "es": ("Atribución-NoComercial-CompartirIgual", "Atribución-NoComercial-SinDerivadas"),
    "es-es": ("Reconocimiento-NoComercial-CompartirIgual", "Reconocimiento-NoComercial-SinObraDerivada"),
    "es-mx": ("Atribución-No Comercial-Compartir Igual", "Atribución-No Comercial-No Derivadas"),
    "pt": ("Atribuição-NãoComercial-CompartilhaIgual", "Atribuição-NãoComercial-SemDerivações"),
    "pt-pt": (
        "Atribuição-Uso Não-Comercial-Partilha nos termos da mesma licença",
        "Atribuição-Uso Não-Comercial-Proibição de realização de Obras Derivadas",
    ),
    "pt-br": (
        "Atribuição-Uso não-comercial-Compartilhamento pela mesma licença",
        "Atribuição-Uso não-comercial-Vedada a criação de obras derivadas",
    ),
    "fr": (
        "Attribution - Pas d’Utilisation Commerciale - Partage dans les Mêmes Conditions",
        "Attribution - Pas d’Utilisation Commerciale - Pas de Modification",
    ),
    "fr-ch": (
        "Paternité - Pas d'Utilisation Commerciale - Partage des Conditions Initiales à l'Identique",
        "Paternité - Pas d'Utilisation Commerciale - Pas de Modification",
    ),
    "de": (
        "Namensnennung - Nicht-kommerziell - Weitergabe unter gleichen Bedingungen",
        "Namensnennung-NichtKommerziell-KeineBearbeitung",
    ),
    "nl": ("Naamsvermelding-NietCommercieel-GelijkDelen", "Naamsvermelding-NietCommercieel-GeenAfgeleideWerken"),
    "it": (
        "Attribuzione - Non commerciale - Condividi allo stesso modo",
        "Attribuzione - Non commerciale - Non opere derivate",
    ),
    "da": ("Navngivelse-IkkeKommerciel-DelPåSammeVilkår", "Navngivelse-IkkeKommerciel-IngenBearbejdelse"),
    "no": ("Navngivelse-IkkeKommersiell-DelPåSammeVilkår", "Navngivelse-IkkeKommersiell-IngenBearbeidelse"),
    "sv": ("Erkännande-IckeKommersiell-DelaLika", "Erkännande-Ickekommersiell-IngaBearbetningar"),
    "fi": ("Nimeä-EiKaupallinen-JaaSamoin", "Nimeä-Ei muutoksia-Epäkaupallinen"),
    "pl": (
        "Uznanie autorstwa-Użycie niekomercyjne-Na tych samych warunkach",
        "Uznanie autorstwa-Użycie niekomercyjne-Bez utworów zależnych",
    ),
    "ja": ("表示 - 非営利 - 継承", "表示 - 非営利 - 改変禁止"),
    "zh": ("署名-非商业性使用-相同方式共享", "署名-非商业性使用-禁止演绎"),
    "zh-tw": ("姓名標示-非商業性-相同方式分享", "姓名標示-非商業性-禁止改作"),
    "ko": ("저작자표시-비영리-동일조건변경허락", "저작자표시-비영리-변경금지"),
    "ca": ("Reconeixement-NoComercial-CompartirIgual", "Reconeixement-NoComercial-SenseObraDerivada"),
    "gl": ("Recoñecemento-NonComercial-CompartirIgual", "Recoñecemento-NonComercial-SenObraDerivada"),
    "eu": ("Aitortu-EzKomertziala-PartekatuBerdin", "Aitortu-EzKomertziala-LanEratorririkGabe"),
    "uk": (
        "Із зазначенням авторства - Некомерційна - Розповсюдження на тих самих умовах",
        "Із зазначенням авторства - Некомерційна - Без похідних творів",
    ),
    "bg": ("Признание-Некомерсиално-Споделяне на споделеното", "Признание-Некомерсиално-Без производни"),
    "sr": ("Ауторство-Некомерцијално-Делити под истим условима", "Ауторство-Некомерцијално-Без прерада"),
    "hr": ("Imenovanje-Nekomercijalno-Dijeli pod istim uvjetima", "Imenovanje-Nekomercijalno-Bez prerada"),
    "sl": (
        "Priznanje avtorstva-Nekomercialno-Deljenje pod enakimi pogoji",
        "Priznanje avtorstva-Nekomercialno-Brez predelav",
    ),
    "cs": (
        "Uveďte původ-Neužívejte komerčně-Zachovejte licenci",
        "Uveďte původ-Neužívejte komerčně-Nezpracovávejte",
    ),
    "hu": ("Nevezd meg! - Ne add el! - Így add tovább!", "Nevezd meg! - Ne add el! - Ne változtasd!"),
    "el": (
        "Αναφορά Δημιουργού - Μη Εμπορική Χρήση - Παρόμοια Διανομή",
        "Αναφορά Δημιουργού-Μη Εμπορική Χρήση-Όχι Παράγωγα Έργα",
    ),
    "et": (
        "Autorile viitamine + Mitteäriline eesmärk + Jagamine samadel tingimustel",
        "Autorile viitamine + Mitteäriline eesmärk + Tuletatud teoste keeld",
    ),
    "lt": (
        "Priskyrimas - Nekomercinis platinimas - Analogiškas platinimas",
        "Priskyrimas - Nekomercinis platinimas - Jokių išvestinių darbų",
    ),
    "af": ("Erkenning-Niekommersieel-InsgelyksDeel", "Erkenning-NieKommersieel-GeenAfleidings"),
    "he": ("ייחוס-שימוש לא מסחרי-שיתוף זהה", "ייחוס-שימוש לא מסחרי-איסור יצירות נגזרות"),
    "ar": ("المشاركة على قدم المساواة-غير تجاري-نسب العمل", "نسب العمل - غير تجاري - لا اشتقاق"),
}


def terms_of(license_: str | None) -> set[str]:
    """Return what a licence asks for; of none and of all rights reserved, more than any other."""
    if license_ in {None, "ARR"}:
        return {*PARTS, "all"}
    return {part for part in license_.split("-") if part in PARTS}


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a statement by code or name, and the licence that it was made from."""
    terms = draw(st.sampled_from(TERMS)).split("-")
    between = draw(st.sampled_from(BETWEEN))
    version = draw(st.sampled_from([None, *VERSIONS]))
    words = [draw(st.sampled_from(PARTS[term])) for term in terms]
    words = [words[0], *draw(st.permutations(words[1:]))]
    text = (
        draw(st.sampled_from(["CC", "cc", "Creative Commons", "CREATIVE COMMONS"])) + between + between.join(words)
    )
    if version:
        point = draw(st.sampled_from([".", "_", "-"]))
        text += draw(st.sampled_from([" ", "-", "_", " v", " V. ", " version "])) + version.replace(".", point)
        text += draw(st.sampled_from(["", " International", " Unported", " DE", " Germany", "-FR", " (generic)"]))
    text = draw(st.sampled_from(["", "Licence: ", "This work is licensed under a ", "© "])) + text
    text += draw(st.sampled_from(["", " License", " licence.", " Public License", "."]))
    return draw(st.sampled_from([text, text.upper(), text.lower(), f"  {text}\n"])), "-".join(
        ["CC", *terms, *([version] if version else [])]
    )


WORDS = st.sampled_from([*PARTS["NC"], *PARTS["SA"], "CC0", "CC BY", "public domain", "or", "4.0", "not"])
ADDRESSES = st.tuples(
    st.sampled_from(["https://", "http://", "//", "", "HTTPS://www.", "www."]),
    st.sampled_from(TERMS),
    st.sampled_from(VERSIONS),
    st.sampled_from(
        ["", "/", "/de/", "/igo/", "/legalcode", "/deed.en_US", "/deed.zh-hans", "/?ref=chooser-v1", "#a"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(statements())
def test_every_spelling_of_a_licence_is_read_as_that_licence(made: tuple[str, str]) -> None:
    text, expected = made
    assert normalise_license(text) == expected, text


@settings(max_examples=60, deadline=None)
@given(ADDRESSES)
def test_addresses_are_read_with_what_may_follow_them(made: tuple[str, str, str, str]) -> None:
    scheme, terms, version, rest = made
    address = f"{scheme}creativecommons.org/licenses/{terms.lower()}/{version}{rest}"
    assert normalise_license(address) == f"CC-{terms}-{version}"
    assert normalise_license(f'<a rel="license" href="{address}">CC {terms}</a>') == f"CC-{terms}-{version}"
    assert normalise_license(f"https://evil.org/{address}") is None
    assert normalise_license(f"{address}x9/y") is None


@settings(max_examples=120, deadline=None)
@given(
    st.one_of(
        statements().map(lambda made: made[0]), st.sampled_from(["CC0", "PDM", "All rights reserved", "by-nc"])
    ),
    st.sampled_from([" ", ", ", " (", "; ", " / "]),
    st.one_of(
        st.text(max_size=30),
        st.text(string.ascii_lowercase + " -.0", max_size=30),
        st.lists(WORDS).map(" ".join),
    ),
)
def test_no_text_that_is_appended_makes_a_licence_freer(statement: str, between: str, text: str) -> None:
    alone, longer = normalise_license(statement), normalise_license(statement + between + text)
    assert terms_of(longer) >= terms_of(alone), (statement, text, alone, longer)


@settings(max_examples=50, deadline=None)
@given(statements(), st.text(string.ascii_lowercase, min_size=3, max_size=12), st.booleans())
def test_a_word_that_nobody_knows_leaves_no_licence(made: tuple[str, str], word: str, before: bool) -> None:
    assume(not set(word) <= set("byncsad"))
    assume(word not in {"and", "deed", "int", "intl", "ver", "und", "oder", "under", "scotland", "copyright"})
    assert normalise_license(f"x{word}x {made[0]}" if before else f"{made[0]} x{word}x") is None


@pytest.mark.parametrize("language", TITLES)
def test_the_titles_of_the_deeds_are_read_in_many_languages(language: str) -> None:
    for title, code in zip(TITLES[language], ("BY-NC-SA", "BY-NC-ND"), strict=True):
        assert normalise_license(f"Creative Commons {title} 4.0 International") == f"CC-{code}-4.0"
        assert normalise_license(title.upper()) == f"CC-{code}"
        assert normalise_license(f"{title} 3.0 (CC {code} 3.0)") == f"CC-{code}-3.0"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("http://creativecommons.org/licenses/by/4.0/deed.en_US", "CC-BY-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "PDM-1.0"),
        ("https://spdx.org/licenses/CC-BY-NC-4.0.html", "CC-BY-NC-4.0"),
        ("CC0_1_0", "CC0-1.0"),
        ("CC-BY-NonCommercial", "CC-BY-NC"),
        ("ccbync4.0", "CC-BY-NC-4.0"),
        ("ＣＣ ＢＹ ４．０", "CC-BY-4.0"),
        ("CC BY-NC-SA 2.0 UK: England & Wales", "CC-BY-NC-SA-2.0"),
        ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
        ("Public Domain Mark 1.0", "PDM-1.0"),
        ("Public domain", "PDM-1.0"),
        ("no rights reserved", "CC0-1.0"),
        ("C", "ARR"),
        ("All Rights Reserved", "ARR"),
        ("Alle Rechte vorbehalten, CC BY", "ARR"),
        ("© The Board of Trustees of the Royal Botanic Gardens, Kew.", "ARR"),
        ("(c) A. Sá, some rights reserved (CC BY-NC)", "CC-BY-NC"),
        ("(c) A. Sá, no rights reserved (CC0)", "CC0-1.0"),
        ("(c) non-commercial use only, some rights reserved (CC BY)", "CC-BY-NC"),
        ("© Jane Doe, CC BY", None),
        ("CC BY but ask me first", None),
        ("CC-BY 4.0 (except images)", None),
        ("CC-BY-4.0 non commercial only", "CC-BY-NC-4.0"),
        ("CC0, not for commercial use", None),
        ("CC BY?", None),
        ("CC BY-SA-ND 4.0", None),
        ("CC-BY-9.0", None),
        ("CC0 4.0", None),
        ("https://creativecommons.org/licenses/by/9.0/", None),
        ("http://creativecommons.org/licenses/nc-sa/1.0/", None),
        ("Attribution", None),
        ("Attribution 4.0 International", "CC-BY-4.0"),
        ("CCO", None),
        ("some rights reserved", None),
        ("free for all", None),
        ("UNSPECIFIED", None),
        ("", None),
    ],
)
def test_licences(stated: str, expected: str | None) -> None:
    assert normalise_license(stated) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("CC BY 4.0 / CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("CC0 or CC BY 3.0", "CC-BY-3.0"),
        ("CC BY-NC; http://creativecommons.org/licenses/by-nc/3.0/", "CC-BY-NC-3.0"),
        ("CC BY 3.0, CC BY 4.0", "CC-BY"),  # only a plan that takes both takes it
        ("CC BY-SA 4.0, CC BY-NC 4.0", None),
        ("CC BY-SA 4.0 or GFDL", None),
        ("CC0, Public Domain Mark", None),
    ],
)
def test_of_two_licences_the_more_restricted_counts(stated: str, expected: str | None) -> None:
    assert normalise_license(stated) == expected


CC_ZERO = "http://creativecommons.org/publicdomain/zero/1.0/"
NONCOMMERCIAL = (
    'This work is licensed under a <ulink url="http://creativecommons.org/licenses/by-nc/4.0/legalcode"><citetitle>'
    "Creative Commons Attribution Non Commercial (CC-BY-NC) 4.0 License</citetitle></ulink>."
)
ARCTOS = (
    "The data and media available through Arctos are the property of the originating institution, with all rights "
    "reserved. These records are intended for use in education and research"
)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (f"This work is licensed under a Creative Commons CCZero 1.0 License {CC_ZERO}legalcode", "CC0-1.0"),
        (f"Este trabajo está bajo una licencia Creative Commons Zero (CC0) 1.0  {CC_ZERO}legalcode", "CC0-1.0"),
        (f"{CC_ZERO} & http://www.canadensys.net/norms", None),
        ("Open Data Commons Attribution License: http://www.opendatacommons.org/licenses/by/1.0/", None),
        ("ITIS data is in the public domain", None),
        ("not-for-profit use only", None),
        (ARCTOS, "ARR"),
        (NONCOMMERCIAL, "CC-BY-NC-4.0"),
    ],
)
def test_statements_of_publishers_to_gbif(stated: str, expected: str | None) -> None:
    assert normalise_license(stated) == expected


def test_a_licence_is_allowed_by_name_or_family() -> None:
    assert allowed("CC-BY-4.0", ("CC-BY",))
    assert not allowed("CC-BY-ND-4.0", ("CC-BY",))
    assert not allowed(None, ("CC-BY",))


def test_all_licences_of_the_common_spelling_are_read_as_themselves() -> None:
    families = ("CC0-1.0", "PDM-1.0", "ARR", *(f"CC-{terms}" for terms in TERMS))
    found = licenses_within(families)
    assert len(found) == 3 + 6 * 7
    assert [normalise_license(each) for each in found] == list(found)
    assert licenses_within(("CC-BY-4.0", "CC0-1.0")) == ("CC-BY-4.0", "CC0-1.0")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("<a rel=license href=http://creativecommons.org/licenses/by-nc/4.0/>CC BY 4.0</a>", None),
        ('<span title="Non-Commercial">CC BY</span>', None),
        ('<img alt="by-nd">CC BY-SA', None),
        ('<a href="//creativecommons.org/licenses/by/4.0/"><img src="by.png"/></a> CC BY 4.0', "CC-BY-4.0"),
        ('<a href="//creativecommons.org/licenses/by-nc/4.0/"><img src="l/by-nc/88.png"/></a>', "CC-BY-NC-4.0"),
    ],
)
def test_limits_in_the_attributes_of_tags_count(stated: str, expected: str | None) -> None:
    assert normalise_license(stated) == expected
