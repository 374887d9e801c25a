"""Who may do what: every operation of the API, and every write of the back office, with the roles that may do it.

This is the only such table. An operation asks for its row by name before it takes a lock, and again under the
lock. What a member sees of a map that they may read is decided in `game/grid/player_view.py`.
"""

from collections.abc import Mapping
from enum import StrEnum

from game.core.errors import Forbidden


class Role(StrEnum):
    """The role of a caller in a universe, or in general."""

    anonymous = "anonymous"
    signed_in = "signed_in"
    spectator = "spectator"
    player = "player"
    game_master = "game_master"
    owner = "owner"
    superuser = "superuser"


GAME_MASTERS = frozenset({Role.game_master, Role.owner, Role.superuser})
"""Roles that may read and write everything in a universe, including secrets."""
_OWNER = frozenset({Role.owner, Role.superuser})
_PLAYERS = GAME_MASTERS | {Role.player}
_MEMBERS = _PLAYERS | {Role.spectator}
_SIGNED_IN = _MEMBERS | {Role.signed_in}
_ANYONE = _SIGNED_IN | {Role.anonymous}

_SUPERUSERS = frozenset({Role.superuser})

PERMISSIONS: Mapping[str, frozenset[Role]] = {
    # The server
    "readHealth": _ANYONE,
    "readReadiness": _ANYONE,
    "readMetrics": _ANYONE,
    # Accounts
    "registerUser": _ANYONE,
    "logIn": _ANYONE,
    "logInWithCookie": _ANYONE,
    "refreshTokens": _ANYONE,
    "forgotPassword": _ANYONE,
    "resetPassword": _ANYONE,
    "requestVerifyToken": _ANYONE,
    "verifyUser": _ANYONE,
    "logOut": _SIGNED_IN,
    "logOutWithCookie": _SIGNED_IN,
    "listSessions": _SIGNED_IN,
    "endSession": _SIGNED_IN,
    "readMe": _SIGNED_IN,
    "readStorage": _SIGNED_IN,
    "updateMe": _SIGNED_IN,
    "listUsers": _SUPERUSERS,
    "readUser": _SUPERUSERS,
    "updateUser": _SUPERUSERS,
    "deleteUser": _SUPERUSERS,
    # Universes
    "listUniverses": _SIGNED_IN,
    "createUniverse": _SIGNED_IN,
    "importUniverse": _SIGNED_IN,
    "readUniverse": _MEMBERS,
    "replaceUniverse": GAME_MASTERS,
    "updateUniverse": GAME_MASTERS,
    "deleteUniverse": _OWNER,
    "exportUniverse": _OWNER,
    "transferUniverse": _OWNER,
    "listEvents": _MEMBERS,
    "sendSignal": _PLAYERS,
    # Members and invitations
    "listMembers": _MEMBERS,
    "listOnline": _MEMBERS,
    "updateMember": GAME_MASTERS,
    "removeMember": _MEMBERS,
    "removeOtherMember": GAME_MASTERS,
    "appointGameMaster": _OWNER,
    "createInvitation": GAME_MASTERS,
    "listInvitations": GAME_MASTERS,
    "deleteInvitation": GAME_MASTERS,
    "readInvitation": _ANYONE,
    "acceptInvitation": _SIGNED_IN,
    # Maps
    "listMaps": _SIGNED_IN,
    "createMap": GAME_MASTERS,
    "importMap": GAME_MASTERS,
    "readMap": _MEMBERS,
    "lookAsMember": GAME_MASTERS,
    "replaceMap": GAME_MASTERS,
    "updateMap": GAME_MASTERS,
    "deleteMap": GAME_MASTERS,
    "exportMap": GAME_MASTERS,
    # Editing
    "readRegion": _MEMBERS,
    "editMap": GAME_MASTERS,
    "undoEdit": GAME_MASTERS,
    "redoEdit": GAME_MASTERS,
    "listHistory": GAME_MASTERS,
    "restoreMap": GAME_MASTERS,
    # Play
    "findPath": _MEMBERS,
    "readSight": _MEMBERS,
    "readDistance": _MEMBERS,
    "readArea": _MEMBERS,
    "drawMapAsPng": _MEMBERS,
    "drawMapAsSvg": _MEMBERS,
    "readBackground": _MEMBERS,
    # Characters: grants determine which visible ones a player may change
    "createCharacter": _PLAYERS,
    "listCharacters": _MEMBERS,
    "readCharacter": _MEMBERS,
    "replaceCharacter": _PLAYERS,
    "updateCharacter": _PLAYERS,
    "deleteCharacter": GAME_MASTERS,
    "damageCharacter": _PLAYERS,
    "healCharacter": _PLAYERS,
    # Encounters
    "createEncounter": GAME_MASTERS,
    "listEncounters": _MEMBERS,
    "readEncounter": _MEMBERS,
    "updateEncounter": GAME_MASTERS,
    "deleteEncounter": GAME_MASTERS,
    "startEncounter": GAME_MASTERS,
    "advanceEncounter": GAME_MASTERS,
    "revertEncounter": GAME_MASTERS,
    "endEncounter": GAME_MASTERS,
    "rollInitiative": GAME_MASTERS,
    # Dice and messages
    "createRoll": _PLAYERS,
    "listRolls": _MEMBERS,
    "revealRoll": _PLAYERS,
    "readDice": _MEMBERS,
    "createMessage": _PLAYERS,
    "listMessages": _MEMBERS,
    # Notes: as for characters
    "createNote": _PLAYERS,
    "listNotes": _MEMBERS,
    "readNote": _MEMBERS,
    "replaceNote": _PLAYERS,
    "updateNote": _PLAYERS,
    "deleteNote": _PLAYERS,
    # Tokens: as for characters
    "createToken": GAME_MASTERS,
    "listTokens": _MEMBERS,
    "readToken": _MEMBERS,
    "updateToken": _PLAYERS,
    "deleteToken": GAME_MASTERS,
    "moveToken": _PLAYERS,
    "damageToken": _PLAYERS,
    "healToken": _PLAYERS,
    # Fog
    "readFog": _MEMBERS,
    "revealFog": GAME_MASTERS,
    "hideFog": GAME_MASTERS,
    # Doors: players at one of their tokens
    "setDoor": _PLAYERS,
    # Assets
    "createAsset": GAME_MASTERS,
    "listAssets": GAME_MASTERS,
    "readAsset": _MEMBERS,
    "deleteAsset": GAME_MASTERS,
}


SPECIAL_CASES = frozenset({"sendSignal", "removeOtherMember", "appointGameMaster", "lookAsMember"})
"""Rows for special cases of operations."""


def may(operation: str, role: Role) -> bool:
    """Whether a role may do an operation."""
    return role in PERMISSIONS[operation]


def require(operation: str, role: Role) -> None:
    """Check that a role may do an operation.

    Raises:
        Forbidden: it may not.
    """
    if not may(operation, role):
        raise Forbidden
