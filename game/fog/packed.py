"""A view of a map with fog, serialized for compute processes. Pure."""

from collections.abc import Generator
from typing import NamedTuple

import orjson

from game.grid.canvas import Wanted
from game.grid.cell_sets import CHUNK_BYTES, Cells
from game.grid.fogged_view import FoggedView, Mode, whole
from game.grid.loading import ChunkTexts
from game.grid.memory import pack, unpack
from game.grid.moves import Known
from game.grid.scene import Scene

SORTED = orjson.OPT_SORT_KEYS
"""Sorted keys for data that players get: otherwise, the order would reveal whether an object was just written."""

_Sets = list[tuple[int, int, bytes]]


class PackedView(NamedTuple):
    """What a group sees of a map: the stored frame as JSON text, the memory, and what is in sight."""

    frame: bytes
    width: int
    height: int
    mode: Mode
    explored: _Sets
    differs: bytes
    whole: bytes
    visible: _Sets

    @classmethod
    def of(cls, view: FoggedView) -> "PackedView":
        """A view, packed."""
        chunks, kept = pack(view.memory)
        explored = [(*chunk, bits) for chunk, (bits, _) in chunks.items()]
        differs = [[*chunk, one] for chunk, (_, one) in chunks.items() if one]
        scene = view.scene
        texts = orjson.dumps(differs), orjson.dumps(kept, option=SORTED)
        frame = orjson.dumps(scene.frame, option=SORTED)
        return cls(frame, scene.width, scene.height, view.mode, explored, *texts, _packed(view.visible))

    def open(self) -> FoggedView:
        """The unpacked view."""
        differs = {(x, y): one for x, y, one in orjson.loads(self.differs)}
        chunks = {(x, y): (bits, differs.get((x, y))) for x, y, bits in self.explored}
        memory = unpack(chunks, orjson.loads(self.whole))
        scene = Scene(orjson.loads(self.frame), self.width, self.height)
        visible = {(x, y): int.from_bytes(bits, "little") for x, y, bits in self.visible}
        return FoggedView(scene, memory, visible, self.mode)

    def known(self) -> Known:
        """The frame that the viewers know."""
        return self.open().known

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in cells."""
        return self.width, self.height


def document(packed: PackedView) -> Generator[Wanted, ChunkTexts, bytes]:
    """The JSON text of the grid data that the viewers get."""
    view = packed.open()
    texts = yield Wanted(view.keys(), [])
    chunks = {key: orjson.loads(text) for key, text in texts.items()}
    return orjson.dumps(whole(view, chunks), option=SORTED)


def _packed(cells: Cells) -> _Sets:
    return [(*chunk, bits.to_bytes(CHUNK_BYTES, "little")) for chunk, bits in cells.items()]
