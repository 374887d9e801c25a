"""JSON heads

Revision: 0015
Follows: 0014
Created: 2026-11-29 22:45:00
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_HEADS = {
    "universe": (
        "id uuid, name varchar, description varchar, owner_id uuid, active_map_id uuid, version int,"
        " created_at timestamptz, updated_at timestamptz",
        f"""
            '{{"id":"', id, '","name":', to_json(name), ',"description":', to_json(description),
            ',"owner_id":"', owner_id, '","active_map_id":', coalesce(to_json(active_map_id)::text, 'null'),
            ',"version":', version, ',"created_at":"', {_TIME.format("created_at")},
            '","updated_at":"', {_TIME.format("updated_at")}, '"'
        """,
    ),
    "map": (
        "id uuid, universe_id uuid, name varchar, description varchar, visibility varchar, fog varchar,"
        " fog_sharing varchar, lighting varchar, created_at timestamptz",
        f"""
            '{{"id":"', id, '","universe_id":"', universe_id, '","name":', to_json(name),
            ',"description":', to_json(description), ',"visibility":"', visibility, '","fog":"', fog,
            '","fog_sharing":"', fog_sharing, '","lighting":"', lighting,
            '","created_at":"', {_TIME.format("created_at")}, '"'
        """,
    ),
}


def upgrade() -> None:
    for table, (parameters, parts) in _HEADS.items():
        # A generated column requires immutable functions. `concat`, `to_json` and `to_char` are declared stable,
        # because with other types or formats they depend on settings. As used here, they do not.
        op.execute(f"""
            CREATE FUNCTION {table}_json_head({parameters}) RETURNS text
            LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT concat({parts}) $$
        """)
        names = ", ".join(parameter.split()[0] for parameter in parameters.split(","))
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN json_head text"
            f" GENERATED ALWAYS AS ({table}_json_head({names})) STORED"
        )


def downgrade() -> None:
    for table in _HEADS:
        op.drop_column(table, "json_head")
        op.execute(f"DROP FUNCTION {table}_json_head")
