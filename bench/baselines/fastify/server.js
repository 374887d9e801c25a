// Fastify with @fastify/jwt and node-postgres: one prepared statement a request, a response schema, no log.
import Fastify from 'fastify'
import jwt from '@fastify/jwt'
import pg from 'pg'

const [socket, database] = [process.env.PGHOST, process.env.PGDATABASE]
const pool = new pg.Pool({ host: socket, database, user: process.env.PGUSER, max: 10 })
const app = Fastify()

// Verified signatures are remembered, as the server under test does it.
await app.register(jwt, {
  secret: process.env.JWT_KEY,
  verify: { allowedAud: 'worldkeep:access', requiredClaims: ['sub', 'sid', 'exp', 'aud'], cache: 4096 }
})
app.addHook('onRequest', async (request, reply) => {
  try {
    await request.jwtVerify()
  } catch {
    return reply.code(401).send({ code: 'UNAUTHORIZED' })
  }
})

const AUTHENTICATED = `
  FROM auth_session s JOIN account a ON a.id = s.user_id AND a.is_active
  WHERE s.id = $1 AND s.user_id = $2 AND s.expires_at > now()`
const string = { type: 'string' }
const times = { version: { type: 'integer' }, created_at: string, updated_at: string }
const universe = {
  type: 'object', properties: { id: string, name: string, description: string, owner_id: string, role: string, ...times }
}
const map = {
  type: 'object',
  properties: {
    id: string, universe_id: string, name: string, description: string,
    grid_data: { type: 'object', additionalProperties: true }, ...times
  }
}
const page = {
  type: 'object',
  properties: { items: { type: 'array', items: universe }, next_cursor: { type: ['string', 'null'] } }
}

const ask = async (request, name, text, ...values) =>
  (await pool.query({ name, text, values: [request.user.sid, request.user.sub, ...values] })).rows

// Without a row: either the log-in has ended, or there is nothing to read.
const refuse = async (request, reply) => {
  const [session] = await ask(request, 'session', `SELECT 1 ${AUTHENTICATED}`)
  return session ? reply.code(404).send({ code: 'NOT_FOUND' }) : reply.code(401).send({ code: 'UNAUTHORIZED' })
}

const one = (name, text) => async (request, reply) => {
  const [row] = await ask(request, name, text, request.params.id)
  if (!row) return refuse(request, reply)
  const etag = `"${row.version}"`
  reply.header('etag', etag)
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : row
}
const params = { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } }

app.get('/universes/:id', { schema: { params, response: { 200: universe } } }, one('universe', `
  SELECT u.id, u.name, u.description, u.owner_id, mb.role, u.version, u.created_at, u.updated_at
  ${AUTHENTICATED.replace('WHERE', `JOIN member mb ON mb.user_id = a.id AND mb.universe_id = $3
    JOIN universe u ON u.id = mb.universe_id WHERE`)}`))

app.get('/maps/:id', { schema: { params, response: { 200: map } } }, one('map', `
  SELECT m.id, m.universe_id, m.name, m.description, m.grid_data, m.version, m.created_at, m.updated_at
  ${AUTHENTICATED.replace('WHERE', `JOIN bench_map m ON m.id = $3
    JOIN member mb ON mb.user_id = a.id AND mb.universe_id = m.universe_id
      AND mb.role IN ('owner', 'game_master') WHERE`)}`))

const querystring = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 }, cursor: string }
}
app.get('/universes', { schema: { querystring, response: { 200: page } } }, async (request, reply) => {
  const { limit, cursor } = request.query
  const rows = await ask(request, 'universes', `
    SELECT u.id, u.name, u.description, u.owner_id, mb.role, u.version, u.created_at, u.updated_at
    ${AUTHENTICATED.replace('WHERE', `JOIN member mb ON mb.user_id = a.id
      JOIN universe u ON u.id = mb.universe_id WHERE`)}
    AND ($3::uuid IS NULL OR mb.universe_id > $3) ORDER BY mb.universe_id LIMIT $4`, cursor ?? null, limit + 1)
  if (!rows.length) {
    const [session] = await ask(request, 'session', `SELECT 1 ${AUTHENTICATED}`)
    if (!session) return reply.code(401).send({ code: 'UNAUTHORIZED' })
  }
  return { items: rows.slice(0, limit), next_cursor: rows.length > limit ? rows[limit - 1].id : null }
})

// One cell of a map's ground: the counter of the universe, the version, the chunk and the event, in a transaction.
const cell = {
  type: 'object', required: ['x', 'y', 'symbol'],
  properties: { x: { type: 'integer', minimum: 0 }, y: { type: 'integer', minimum: 0 }, symbol: string }
}
const set = {
  type: 'object', required: ['op', 'layer', 'cells'],
  properties: {
    op: { const: 'set' }, layer: { const: 'ground' }, cells: { type: 'array', minItems: 1, maxItems: 1, items: cell }
  }
}
const body = {
  type: 'object', required: ['edits'],
  properties: { edits: { type: 'array', minItems: 1, maxItems: 1, items: set } }
}
const edited = {
  type: 'object', properties: { version: times.version, seq: { type: 'integer' }, changed: { type: 'integer' } }
}

app.post('/maps/:id/edits', { schema: { params, body, response: { 200: edited } } }, async (request, reply) => {
  const { edits } = request.body
  const [{ x, y, symbol }] = edits[0].cells
  const client = await pool.connect()
  const run = async (name, text, ...values) => (await client.query({ name, text, values })).rows[0]
  const giveUp = async (code, status) => {
    await client.query('ROLLBACK')
    return reply.code(status).send({ code })
  }
  try {
    await client.query('BEGIN')
    const universe = await run('count', `
      UPDATE universe u SET event_seq = u.event_seq + 1
      FROM auth_session s JOIN account a ON a.id = s.user_id AND a.is_active
      JOIN member mb ON mb.user_id = a.id AND mb.role IN ('owner', 'game_master'), map m
      WHERE s.id = $1 AND s.user_id = $2 AND s.expires_at > now()
      AND m.id = $3 AND u.id = m.universe_id AND mb.universe_id = m.universe_id
      RETURNING u.id, u.event_seq`, request.user.sid, request.user.sub, request.params.id)
    if (!universe) return await giveUp('NOT_FOUND', 404)
    const map = await run('touch', `
      UPDATE map SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1
      RETURNING version, width, height, grid_data->'legend' AS legend`, request.params.id)
    if (x >= map.width || y >= map.height || !map.legend.some(entry => entry.symbol === symbol)) {
      return await giveUp('INVALID_EDIT', 422)
    }
    const chunk = await run('paint', `
      UPDATE map_chunk SET rows = jsonb_set(rows, ARRAY[$3::text],
        to_jsonb(overlay(rows->>$3::int placing $5 from $4::int + 1 for 1)))
      WHERE universe_id = $1 AND map_id = $2 AND layer = 0 AND x = $6 AND y = $7
      RETURNING substr(old.rows->>$3::int, $4::int + 1, 1) AS before`,
    universe.id, request.params.id, y % 64, x % 64, symbol, x >> 6, y >> 6)
    await run('log', `
      INSERT INTO event (universe_id, seq, actor_id, kind, subject_id, payload, before)
      VALUES ($1, $2, $3, 'map.edited', $4, $5, $6)`, universe.id, universe.event_seq, request.user.sub,
    request.params.id, { edits, version: map.version, touched: { cells: 1 } },
    { change: [{ cells: 0, runs: [[x, y, 1, chunk.before, symbol]] }] })
    await client.query('COMMIT')
    reply.header('etag', `"${map.version}"`)
    return { version: map.version, seq: Number(universe.event_seq), changed: 1 }
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
})

await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
