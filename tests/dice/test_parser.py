"""The notation of dice: what it takes, and where it says what is wrong."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from game.dice.drawing import Drawing
from game.dice.evaluation import evaluate
from game.dice.parser import parse
from game.dice.syntax import MAX_DICE, MAX_NUMBER, ExpressionError

BROKEN = [
    ("", 1, "expected a number or dice"),
    ("   ", 4, "expected a number or dice"),
    ("1d", 3, "number of sides"),
    ("2d6 2", 5, "unexpected"),
    ("1d20 + ", 8, "expected a number or dice"),
    ("(1", 1, "never closed"),
    ("1)", 2, "never opened"),
    ("()", 2, "expected a number or dice"),
    ("1d0", 3, "1 to 1000 sides"),
    ("2 d 1001", 5, "1 to 1000 sides"),
    ("1001d6", 1, "more than 1000 dice"),
    ("501d6+500d6", 7, "more than 1000 dice"),
    ("9007199254740992", 1, "larger than"),
    ("1+" + "9" * 190, 3, "larger than"),
    ("9007199254740991+1d6", 17, "exceed"),
    ("-9007199254740991-1", 18, "exceed"),
    ("94906267*94906267", 9, "exceed"),
    ("2d6mi9007199254740991", 1, "exceed"),
    ("1d6/0", 4, "can be 0"),
    ("1/(1d4-2)", 2, "can be 0"),
    ("1/1d6cs6", 2, "can be 0"),
    ("1.5", 2, "unexpected"),
    ("1d6\n", 4, "unexpected"),
    ("\N{ARABIC-INDIC DIGIT THREE}d6", 1, "expected a number or dice"),
    ("1d6rr<=6", 4, "forever"),
    ("1d1!", 4, "forever"),
    ("1d6!>0", 4, "forever"),
    ("1d6!!", 5, "only one"),
    ("1d6ro", 6, "a number or a condition"),
    ("1d6cs>", 7, "expected a number"),
    ("1d6mi", 6, "expected a number"),
    ("1d6cs3kh1", 7, "nothing can follow"),
    ("1d6" + "mi2" * 9, 28, "more than 8 modifiers"),
    ("1d6[", 4, "no `]`"),
    ("1d6[a[b]", 4, "no `]`"),
    ("1d6[ ]", 4, "empty"),
    ("@level", 1, "needs a character"),
    ("1d6+@", 5, "expected a path"),
    ("advantage", 1, "expected a number or dice"),
    ("1" * 201, 201, "longer than 200"),
    ("(" * 33 + "1" + ")" * 33, 33, "deeper than 32"),
    ("-" * 33 + "1", 33, "deeper than 32"),
]


@pytest.mark.parametrize(("expression", "column", "message"), BROKEN)
def test_says_what_is_wrong_and_where(expression: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        parse(expression)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 32 + "1" + ")" * 32,
        "-" * 32 + "1",
        "1" * 16,
        "1+" * 99 + "10",
        "0d6",
        "1000d1000",
        " 2 D 6 KH1 ",
    ],
)
def test_takes_what_lies_within_the_bounds(expression: str) -> None:
    evaluate(parse(expression), Drawing(b"key"))


def test_paths_come_from_the_sheet() -> None:
    def lookup(path: str) -> int:
        if path != "speed.walk":
            raise LookupError("the sheet has no such number")
        return 30

    assert evaluate(parse("@speed.walk/5", lookup), Drawing(b"")).total == 6
    with pytest.raises(ExpressionError, match="no such number") as caught:
        parse("1 + @speed.fly", lookup)
    assert caught.value.column == 5


PIECES = [
    *"0123456789+-*/()[]@%!<>= .d",
    *(
        "kh",
        "kl",
        "dh",
        "dl",
        "ro",
        "rr",
        "mi",
        "ma",
        "cs",
        "adv",
        "dis",
        "4d6",
        "1000d",
        "!>",
        "é",
        "\0",
        "\u2028",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=210))
@example("1000d2!>1rr1ro2!")
@example("1000d1000kh1kl1dh1dl1mi1ma9ro1")
def test_always_a_result_or_an_error_with_a_column(expression: str) -> None:
    try:
        node = parse(expression, lambda path: len(path))
    except ExpressionError as error:
        column = error.column
    else:
        column = None
    if column is not None:
        assert 1 <= column <= len(expression) + 1
        return
    result = evaluate(node, Drawing(expression.encode()))
    assert abs(result.total) <= MAX_NUMBER
    assert str(result.terms).count("'rolled'") <= MAX_DICE
