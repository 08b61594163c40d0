import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.identity.importer import Importer
from hub.identity.names import EXACT, GRAM, MAX_NAME, SOUND, NameIndexes, Token, normalised, readings_of, tokens_of
from hub.identity.search import CANDIDATES, OPENED, NameSearch
from hub.identity.tables import name_token
from tests.crypto.world import Register, record

RING = KeyRing(keys={"seal:hub:2": {1: b"a" * 32}, "seal:hub:3": {1: b"b" * 32}, "seal:justice:2": {1: b"c" * 32}})
HAN = st.text("李王张刘陈杨赵黄周吴四伟芳娜敏静丽强磊", min_size=2, max_size=4)


def indexes(bits: int = 16) -> NameIndexes:
    return NameIndexes(
        exact=BlindIndex(key=b"e" * 32, field="name", bits=bits),
        grams=BlindIndex(key=b"g" * 32, field="nameGram", bits=bits),
        pinyin=BlindIndex(key=b"p" * 32, field="namePinyin", bits=bits),
    )


@pytest.fixture
def parts(store, clock):
    importer = Importer(
        store=store,
        sealer=Sealer(RING),
        opener=Opener(RING),
        numbers=BlindIndex(key=b"n" * 32, field="identityNumber", bits=16),
        keys=BlindIndex(key=b"k" * 32, field="agencyKey", bits=16),
        names=indexes(),
        erased=Pseudonyms(b"d" * 32),
        clock=clock,
    )
    search = NameSearch(reader=store.driver, opener=Opener(RING), sealer=Sealer(RING), indexes=indexes())
    return importer, search


def named(*names: str, **more) -> Register:
    return Register([record(order, called=name, also_called=None, **more) for order, name in enumerate(names)])


async def found(search, asked: str) -> list[tuple[str, str]]:
    return [(match.name, match.likeness) for match in await search.search(asked)]


@pytest.mark.parametrize(
    ("asked", "likeness"),
    [
        pytest.param("李四", "exact", id="itself"),
        pytest.param(" 李 四 ", "exact", id="with blanks"),
        pytest.param("李斯", "homophone", id="another character of the same sound"),
        pytest.param("黎四", "homophone", id="another surname of the same sound"),
        pytest.param("li si", "homophone", id="pinyin"),
        pytest.param("LISI", "homophone", id="pinyin in one word"),
        pytest.param("李森", "partial", id="the other character begins alike"),
        pytest.param("林四", "partial", id="the surname begins alike"),
    ],
)
async def test_a_name_of_two_characters_is_found(parts, asked, likeness):
    importer, search = parts
    await importer.run(named("李四", "王小明", "欧阳建国"))
    assert await found(search, asked) == [("李四", likeness)]


@pytest.mark.parametrize("asked", ["赵六", "李", "", "x", "王", "明", "四", "·", "欧", "zz yy"])
async def test_who_is_not_meant_is_not_found(parts, asked):
    importer, search = parts
    await importer.run(named("李四", "王小明", "欧阳建国"))
    assert await found(search, asked) == []


@pytest.mark.parametrize(
    ("asked", "likeness"),
    [("小明", "partial"), ("王晓明", "homophone"), ("张小明", "partial"), ("wang xiaoming", "homophone")],
)
async def test_longer_names_are_found_by_a_part_or_by_sound(parts, asked, likeness):
    importer, search = parts
    await importer.run(named("李四", "王小明"))
    assert await found(search, asked) == [("王小明", likeness)]


async def test_former_names_and_aliases_are_found_and_told_as_such(parts):
    importer, search = parts
    await importer.run(Register([record(1, called="李四", formerly_called="李小四", also_called="黑皮")]))
    (match,) = await search.search("李小四")
    assert (match.name, match.kind, match.likeness) == ("李小四", "former", "exact")
    (match,) = await search.search("黑皮")
    assert (match.name, match.kind) == ("黑皮", "alias")


async def test_dots_in_names_of_minorities_do_not_matter(parts):
    importer, search = parts
    await importer.run(named("阿卜杜拉·买买提"))
    for asked in ("阿卜杜拉·买买提", "阿卜杜拉买买提", "阿卜杜拉．买买提", "阿卜杜拉•买买提"):
        assert await found(search, asked) == [("阿卜杜拉·买买提", "exact")]


async def test_vaulted_persons_are_nobody(parts):
    importer, search = parts
    await importer.run(named("李四", vaulted="1"))
    assert await found(search, "李四") == []


async def test_the_exact_name_comes_first_among_many(parts):
    importer, search = parts
    await importer.run(named(*(f"李{second}" for second in "思寺司死丝"), *["李斯"] * 40, "李四"))
    matches = await found(search, "李四")
    assert matches[0] == ("李四", "exact")
    assert len(matches) == 20


async def test_a_hit_and_a_miss_open_the_same_number_of_names(parts, monkeypatch):
    importer, search = parts
    await importer.run(named(*["李四"] * 60, "王小明"))
    opening, opened = search._open, []
    monkeypatch.setattr(search, "_open", lambda *sealed: (opened.append(1), opening(*sealed))[1])
    monkeypatch.setattr(search._decoy, "_opening", search._open)
    counts = []
    for asked in ("李四", "王小明", "赵六", "x"):
        opened.clear()
        await search.search(asked)
        counts.append(len(opened))
    assert counts == [OPENED] * 4
    assert CANDIDATES <= OPENED


async def test_a_name_that_changed_is_found_by_the_new_one_alone(parts):
    importer, search = parts
    await importer.run(named("李四"))
    await importer.run(named("王五"))
    assert await found(search, "李四") == []
    assert await found(search, "王五") == [("王五", "exact")]


async def test_no_token_marks_a_surname(parts, store):
    """SECURITY section 4: never alone on a low-cardinality field."""
    importer, _ = parts
    await importer.run(named(*(f"李{given}" for given in "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚")))
    async with store.read() as connection:
        count = func.count()
        most = await connection.scalar(
            select(count).select_from(name_token).group_by(name_token.c.token).order_by(count.desc()).limit(1)
        )
    assert most < 6


@given(name=st.text(max_size=60))
def test_any_text_has_tokens_or_none_and_no_error(name):
    tokens = tokens_of(name)
    assert len(normalised(name)) <= MAX_NAME
    assert all(token.kind in (EXACT, GRAM, SOUND) and len(token.text) > 1 for token in tokens)
    assert not any(token.kind == GRAM and len(token.text) == 1 for token in tokens)
    assert bool(tokens) is (len(normalised(name)) >= 2)


@given(name=HAN)
def test_a_name_and_its_pinyin_share_a_token(name):
    spelled = " ".join(readings[0] for readings in readings_of(name))
    assert tokens_of(name) & tokens_of(spelled)
    assert Token(EXACT, name) in tokens_of(name)


@given(one=HAN, two=HAN)
def test_names_of_one_sound_share_a_token(one, two):
    sounds = [set(readings) for readings in readings_of(one)], [set(readings) for readings in readings_of(two)]
    if len(one) == len(two) and all(a & b for a, b in zip(*sounds, strict=True)):
        assert tokens_of(one) & tokens_of(two)


@given(name=HAN)
def test_numbers_of_tokens_keep_kinds_apart(name):
    numbers = indexes(bits=4).of(name)
    assert {number >> 48 for number in numbers} == {token.kind for token in tokens_of(name)}
