"""Words that stand behind scientific names in the cells of tables, by what they are, and the endings of names."""

from __future__ import annotations

import re

__all__ = [
    "EPITHET_ENDS",
    "GENUS_ENDS",
    "GROUP_ENDS",
    "JOINING",
    "NOTES",
    "PARTICLES",
    "RANK_MARKERS",
    "REMARKS",
    "looks_latin",
]

_PARTICLES = """
    a af al ap auf aus bei ben bin bis d da dal dall dalla das de degli dei del della dem den der des di do dos du e el
    em emend en et ex f fil filius fils i ibn in jr jun junior la las le lo los o of op pater sen senior sr st t te ten
    ter thor to v van vel vom von vor y zu zum zur and und
"""
_NOTES = """
    aff agg aggregate auct auctorum auctt cf comb complex emend err gr group hort ined lapsus litt mihi misspelling ms
    nec nm nobis nom nomen non not nov orig orth pars part partim pp prep press pro s sec sensu sic spec species stat
    str syn unpubl unpublished
"""
_RANK_MARKERS = """
    ab aberr aberration biovar bv convar cv f fo form forma kl klepton m morph natio nothosubsp nothovar pathovar pv
    race ssp st strain subf subsp subspecies subvar var varietas variety
"""
_REMARKS = """
    ad adult adults advertisement alarm alive audio background begging bird birds breeding calf call called calling
    calls canto captive chant chick chicks chirp chorus contact cri cub dawn dead display distant distress domestic
    drum drumming duet echolocation egg eggs escaped f faint feeding female females feral fledgling flight flock
    foreground gesang image imm immature ind indiv individual individuals inds jungvogel juv juvenile juveniles larva
    larvae loud m male males mating maybe mimicry männchen nest nestling nestlings nonbreeding pair photo plumage
    possible possibly probable probably pup pupa pups rattle recorded recording roadkill ruf rufe singing sings social
    song songs sound sounds specimen subadult subsong summer trill type types uncertain unsure vocalisation
    vocalization voice weibchen whistle wild winter young
"""
PARTICLES = frozenset(_PARTICLES.split())
"""Small words within the names of authors and between them."""
NOTES = frozenset(_NOTES.split())
"""What a note on the use of a name begins with; whatever follows belongs to the note."""
RANK_MARKERS = frozenset(_RANK_MARKERS.split())
"""What stands before an epithet below the species."""
REMARKS = frozenset(_REMARKS.split())
"""What people write behind a name: of sounds, of age and sex, of how many there were, of how sure they are."""
JOINING = frozenset({"and", "und", "with", "without", "plus", "vs", "&", "+"})
"""What joins two things that are named; some of these join authors, too."""

# Of the species of animals in iNaturalist's taxonomy nineteen of twenty have both endings, of the English names of two
# words that the package knows one in forty.
GENUS_ENDS = re.compile(r"([aiou]s|a|um|es|ops|ys|[aeioy]x|nx|ps|[dgiclr]o|[clnpt]e|on)$")
EPITHET_ENDS = re.compile(r"(us|a|um|is|i|ae|ens|ans|es|or|ops|[aeio]x|os|ys|oides|nse|ale|eps|[fgt]er|ons|orum)$")
GROUP_ENDS = re.compile(rf"{GENUS_ENDS.pattern}|(idae|inae|formes|oidea)$")


def looks_latin(genus: str, epithet: str) -> bool:
    """Return whether two words end as a genus and an epithet do, or are the same word.

    Examples
    --------
    >>> looks_latin("Parus", "major"), looks_latin("Chainsaw", "noise"), looks_latin("Great", "tit")
    (True, False, False)
    """
    genus, epithet = genus.lower(), epithet.lower()
    return genus == epithet or bool(GENUS_ENDS.search(genus) and EPITHET_ENDS.search(epithet))
