"""Specialist questions: invented terms whose answers only experts know."""

from orchestra_app.rehearsal.draws import Draw
from orchestra_app.rehearsal.forms import Draft, Wordings, sentence

_FIELDS = (
    "organic chemistry",
    "algebraic topology",
    "medieval canon law",
    "neurology",
    "quantum field theory",
    "comparative philology",
    "immunology",
    "stellar astrophysics",
    "numismatics",
    "category theory",
)
_QUALITIES = (
    "rigidity",
    "selectivity",
    "degeneracy",
    "asymmetry",
    "persistence",
    "provenance",
    "splitting",
    "inversion",
    "stability",
)
_TRAITS = (
    "perfect",
    "chiral",
    "refractory",
    "marginal",
    "twisted",
    "palatal",
    "compact",
    "dense",
    "spurious",
)

# The answer's noun follows from the wording, so that the whole gold answer can be matched.
_FORMS = {
    "principle": Wordings(
        (
            "In $field, which principle explains the $quality of $trait $term systems?",
            "Name the $field principle behind the $quality of the $trait $term.",
        ),
        ("experts in $field dispute the $quality of a $trait $term; which principle is accepted?",),
    ),
    "theorem": Wordings(
        (
            "Which theorem of $field characterises the $quality of $trait $term objects?",
            "A graduate question in $field: which theorem bounds the $quality of a $trait $term?",
        ),
        ("for a $trait $term, what theorem do $field textbooks cite on $quality?",),
    ),
    "effect": Wordings(
        (
            "What is the name of the effect in $field that gives a $trait $term its $quality?",
            "In $field, what effect determines the $quality of a $trait $term?",
        ),
        ("the $quality of the $trait $term is due to which effect known to $field?",),
    ),
}


def specialist(draw: Draw) -> Draft:
    """Return one specialist question with an invented term and an invented answer."""
    noun = draw.pick(list(_FORMS))
    words = {
        "field": draw.pick(_FIELDS),
        "quality": draw.pick(_QUALITIES),
        "trait": draw.pick(_TRAITS),
        "term": draw.word(3).lower(),
    }
    text = sentence(_FORMS[noun].pick(draw).substitute(words))
    return Draft(text, gold=f"{draw.word()} {noun}", query=f"{words['term']} {words['quality']} {noun}")
