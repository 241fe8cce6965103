import type { Statement } from './statement.js';

/**
 * Registers a definition by its content hash and returns its id. One that is there already only becomes the newest
 * of its name again (after a rollback of the application, say), and a boot that changes nothing writes nothing.
 */
export const registerDefinition: Statement = {
  name: 'register_definition',
  text: (
    tables,
  ) => `INSERT INTO ${tables.definition} AS d (hash, name, version, description, definition)
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::json)
  ON CONFLICT (hash) DO UPDATE SET registered_at = clock_timestamp()
  RETURNING id`,
};

export const readDefinitionsOf: Statement = {
  name: 'read_definitions_of',
  text: (tables) => `SELECT DISTINCT ON (name) id, hash, name FROM ${tables.definition}
  WHERE name = ANY ($1::text[]) ORDER BY name, registered_at DESC, id DESC`,
};

/** Every definition that is stored, without its graph: which of them this process can run is decided from it. */
export const listDefinitions: Statement = {
  name: 'list_definitions',
  text: (tables) => `SELECT id, hash, name FROM ${tables.definition}`,
};

export const readDefinition: Statement = {
  name: 'read_definition',
  text: (tables) =>
    `SELECT id, hash, name, definition FROM ${tables.definition} WHERE id = $1::integer`,
};

export const readNewestDefinition: Statement = {
  name: 'read_newest_definition',
  text: (tables) => `SELECT id, hash, name, definition FROM ${tables.definition}
  WHERE name = $1::text ORDER BY registered_at DESC, id DESC LIMIT 1`,
};
