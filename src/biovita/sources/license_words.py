"""How licences name their parts: codes, the names of Creative Commons in many languages, and words that change nothing.

The names are the titles of Creative Commons' deeds, https://creativecommons.org/licenses/, of all versions, and the
spellings of them that publishers use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import Enum

__all__ = ["BEGINNINGS", "PHRASES", "PORTS", "RUN", "LicenseWord", "folded"]


class LicenseWord(Enum):
    """What a word or phrase of a statement stands for."""

    CC = "Creative Commons"
    BY = "BY"
    NC = "NC"
    SA = "SA"
    ND = "ND"
    ZERO = "CC0"
    MARK = "public domain mark"
    DOMAIN = "public domain"
    RESERVED = "all rights reserved"
    SOME = "some rights reserved"
    COPYRIGHT = "copyright"
    NOTHING = "a word that changes nothing"


_NAMES: Mapping[LicenseWord, str] = {
    LicenseWord.CC: """cc | creative commons | 知识共享 | 知識共享 | 創用CC | 创作共用 | クリエイティブ・コモンズ
        | 크리에이티브 커먼즈 | креатив коммонс""",
    LicenseWord.BY: """by | attribution | atribución | reconocimiento | atribuição | paternité | Namensnennung
        | naamsvermelding | attribuzione | navngivelse | namngjeving | erkännande | nimeä | uznanie autorstwa
        | 表示 | 署名 | 姓名標示 | 姓名标示 | 저작자표시 | reconeixement | recoñecemento | aitortu | атрибуция
        | с указанием авторства | із зазначенням авторства | uveďte autora | uveďte původ | uveďte pôvod
        | nevezd meg | atribuire | признание | ауторство | autorstvo | imenovanje | priznanje avtorstva
        | αναφορά δημιουργού | αναφορά | atıf | atribusi | pengiktirafan | ghi nhận công của tác giả | ghi công
        | autorile viitamine | atsaucoties | priskyrimas | atribuite | atribuo | erkenning | ייחוס | نسب المصنف
        | نسب العمل""",
    LicenseWord.NC: """nc | non commercial | non commercial only | non commercial use | non commercial use only
        | for non commercial use | for non commercial use only | non commercial purposes
        | non commercial purposes only | for non commercial purposes | for non commercial purposes only
        | no commercial use | not for commercial use | no comercial | uso no comercial | não comercial
        | uso não comercial | pas d'utilisation commerciale | pas d'utilisation à des fins commerciales
        | non commerciale | utilisation non commerciale | nicht kommerziell | keine kommerzielle Nutzung
        | niet commercieel | ikke kommerciel | ikke kommersiell | ikkje kommersiell | icke kommersiell
        | ei kaupallinen | epäkaupallinen | użycie niekomercyjne | 非営利 | 非商业性使用 | 非商业性 | 非商業性
        | 비영리 | non comercial | ez komertziala | некоммерческое использование | некоммерческая | некомерційна
        | некомерційне використання | neužívejte komerčně | neužívejte dílo komerčně | nepoužívajte komerčne
        | ne add el | necomercial | некомерсиално | некомерцијално | nekomercijalno | nekomercialno
        | μη εμπορική χρήση | gayriticari | nonkomersial | bukan komersial | phi thương mại
        | mitteäriline eesmärk | mitteäriline | nekomerciāls | nekomercinis platinimas | nekomercinis
        | nekomerce | nie kommersieel | שימוש לא מסחרי | غير تجاري""",
    LicenseWord.SA: """sa | share alike | compartir igual | compartirigual | compartilha igual
        | compartilhamento pela mesma licença | partilha nos termos da mesma licença
        | partilha nos mesmos termos | partage dans les mêmes conditions | partage à l'identique
        | partage des conditions initiales à l'identique | Weitergabe unter gleichen Bedingungen | gelijk delen
        | condividi allo stesso modo | del på samme vilkår | del på same vilkår | dela lika
        | dela på samma villkor | jaa samoin | tarttuva | na tych samych warunkach | 継承 | 相同方式共享
        | 相同方式分享 | 동일조건변경허락 | partekatu berdin | на тех же условиях
        | распространение на тех же условиях | с сохранением условий | поширення на тих самих умовах
        | розповсюдження на тих самих умовах | zachovejte licenci | zachovajte licenciu | rovnaké šírenie
        | így add tovább | partajare în condiții identice | distribuire în condiții identice
        | споделяне на споделеното | делити под истим условима | deliti pod istim uslovima
        | dijeli pod istim uvjetima | deljenje pod enakimi pogoji | παρόμοια διανομή | aynı lisansla paylaş
        | berbagi serupa | perkongsian serupa | chia sẻ tương tự | jagamine samadel tingimustel
        | analogiškas platinimas | samkondiĉe | insgelyks deel | שיתוף זהה | الترخيص بالمثل
        | المشاركة على قدم المساواة""",
    LicenseWord.ND: """nd | no derivatives | no derivative | no derivs | no derivative works | sin derivadas
        | sin derivar | sin obra derivada | sin obras derivadas | no derivadas | sem derivações | sem derivados
        | sem derivadas | proibição de realização de obras derivadas | vedada a criação de obras derivadas
        | não a obras derivadas | pas de modification | pas de modifications | keine Bearbeitung
        | keine Bearbeitungen | geen afgeleide werken | non opere derivate | ingen bearbejdelse
        | ingen bearbejdelser | ingen bearbeidelse | ingen bearbeidelser | inga bearbetningar | ei muutoksia
        | ei jälkiperäisiä teoksia | bez utworów zależnych | 改変禁止 | 禁止演绎 | 禁止改作 | 변경금지
        | sense obra derivada | sense obres derivades | sen obra derivada | lan eratorririk gabe
        | без производных произведений | без производных | без похідних творів | без похідних
        | nezasahujte do díla | nezpracovávejte | nespracúvajte | nespracovávajte | ne változtasd
        | fără derivate | fără modificări | без производни | без прерада | bez prerada | brez predelav
        | όχι παράγωγα έργα | türetilemez | tanpa turunan | tiada terbitan | không phái sinh
        | tuletatud teoste keeld | nemainīts | jokių išvestinių darbų | nemodifite | geen afleidings
        | איסור יצירות נגזרות | لا اشتقاق | منع الاشتقاق""",
    LicenseWord.ZERO: "cc zero | creative commons zero | no rights reserved | public domain dedication",
    LicenseWord.MARK: "pdm | public domain mark | marca de dominio público | marque du domaine public",
    LicenseWord.DOMAIN: """pd | public domain | dominio público | domínio público | domaine public | dominio pubblico
        | pubblico dominio | gemeinfrei | publiek domein | domena publiczna | パブリックドメイン | 公共领域
        | 公有领域""",
    LicenseWord.RESERVED: """arr | all rights reserved | todos los derechos reservados | todos os direitos reservados
        | tots els drets reservats | tous droits réservés | alle Rechte vorbehalten | alle rechten voorbehouden
        | tutti i diritti riservati | alla rättigheter förbehållna | alle rettigheder forbeholdes
        | alle rettigheter forbeholdt | alle rettigheter reservert | kaikki oikeudet pidätetään
        | wszelkie prawa zastrzeżone | všechna práva vyhrazena | minden jog fenntartva | все права защищены
        | усі права захищені | 版权所有 | 版權所有 | 著作権所有 | 無断転載禁止""",
    LicenseWord.SOME: """some rights reserved | algunos derechos reservados | alguns direitos reservados
        | certains droits réservés | einige Rechte vorbehalten""",
    LicenseWord.COPYRIGHT: "copyright",
    LicenseWord.NOTHING: """licence | licences | licenced | license | licenses | licensed | public licence
        | public license | licencia | licencia pública | licença | licença pública | licenza | lizenz
        | lizenziert unter | licentie | licens | lisens | lisenssi | licencja | licence publique | licenc
        | лицензия | ліцензія | ライセンス | 许可协议 | 授權條款 | 라이선스 | v | ver | version | versión
        | versão | versione | versie | versio | wersja | версия | deed | legal code | legalcode | international
        | int | intl | internacional | internazionale | internationaal | internationale | internationell
        | internasjonal | kansainvälinen | międzynarodowe | międzynarodowa | mezinárodní | nemzetközi
        | internațional | международная | міжнародна | 国際 | 国际 | 國際 | 국제 | unported | generic | genérica
        | générique | generico | generisk | generiek | non transposé | nicht portiert | não adaptada
        | no portada | no adaptada | universal | universell | universel | universale | universeel | universala
        | and | or | und | oder | et | y | under | under a | under the | this work is licensed under
        | this work is licensed under a | this work is licensed under the | this image is licensed under a
        | licensed under | licensed under a | licensed under the | released under | released under a
        | available under | available under a | made available under | made available under the
        | published under | published under a | esta obra está bajo una licencia
        | este trabajo está bajo una licencia | this work is made available under the
        | cette œuvre est mise à disposition selon les termes de la licence
        | to the extent possible under law the publisher has waived all rights to these data and has dedicated
        them to the
        | users may copy modify distribute and use the work including for commercial purposes without restriction""",
}
# Jurisdictions that Creative Commons ported licences to, as codes and names; they stand behind a version.
_PORT_CODES = """am ar at au az be bg br ca ch cl cn co cr cz de dk ec ee eg es fi fr ge gr gt hk hr hu ie igo
    il in it jp kr lu mk mt mx my nl no nz pe ph pl pr pt ro rs se sg si th tw ug uk us ve vn za scotland"""
_PORT_NAMES = """argentina | armenia | australia | austria | azerbaijan | belgium | brazil | brasil | bulgaria
    | canada | chile | china | colombia | croatia | czechia | denmark | danmark | deutschland | ecuador | egypt
    | estonia | españa | spain | finland | france | georgia | germany | greece | guatemala | hungary | india
    | ireland | israel | italia | italy | japan | korea | luxembourg | macedonia | magyarország | malaysia
    | malta | mexico | méxico | nederland | netherlands | norge | norway | österreich | peru | perú
    | philippines | poland | polska | portugal | romania | schweiz | serbia | singapore | slovenia | sverige
    | sweden | switzerland | taiwan | thailand | uganda | usa | venezuela | vietnam | česko | suomi | 日本
    | 台灣 | costa rica | czech republic | hong kong | new zealand | puerto rico | south africa | south korea
    | united states | united kingdom | england and wales | england wales | great britain"""
_UNSEEN = {"Mn", "Cf"}  # accents, and characters that nobody sees


def folded(text: str) -> str:
    """Return a text in one form of its letters: lower case, without accents, full width and invisible characters.

    Examples
    --------
    >>> folded("Atribuição"), folded("ＣＣ\u200b0")
    ('atribuicao', 'cc0')
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(each for each in decomposed if unicodedata.category(each) not in _UNSEEN)


def _joined(phrase: str) -> str:
    return "".join(re.findall(r"[^\W\d_]+", folded(phrase)))


# From a phrase whose words are written as one to what it stands for.
PHRASES: Mapping[str, LicenseWord] = {
    _joined(phrase): part for part, phrases in _NAMES.items() for phrase in phrases.split("|")
}
PORTS = frozenset(_joined(name) for name in (*_PORT_CODES.split(), *_PORT_NAMES.split("|")))
BEGINNINGS = frozenset(name[:end] for name in (*PHRASES, *PORTS) for end in range(1, len(name) + 1))
# Names that stand together as one word: "ccbync", "AttributionNonCommercial", and whatever has no spaces in East Asia.
_WHOLE = {LicenseWord.CC, LicenseWord.BY, LicenseWord.NC, LicenseWord.SA, LicenseWord.ND}
RUN = re.compile(
    "|".join(
        sorted(
            (name for name, part in PHRASES.items() if part in _WHOLE or name[0] >= "\u1000"),
            key=lambda name: (-len(name), name),
        )
    )
)
