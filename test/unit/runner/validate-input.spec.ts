import { expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { validateInput } from '../../../lib/runner/start-request.js';

type Path = StandardSchemaV1.Issue['path'];

/** A schema that refuses everything, with an issue at the path. */
function refusing(path: Path): StandardSchemaV1 {
  const issues = [{ message: 'it is odd', ...(path === undefined ? {} : { path }) }];
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } };
}

it.each<[Path, string, string]>([
  [['order', 'items', 2], 'order', 'order.items[2]'],
  [[{ key: 'order' }, { key: 'id' }], 'order', 'order.id'],
  [['order.id', 'value'], 'order.id', '["order.id"].value'],
  [[Symbol('s')], 'Symbol(s)', '["Symbol(s)"]'],
  [undefined, '', ''],
])('an issue of the input schema at %j names the key and the path', async (at, key, path) => {
  await expect(validateInput(refusing(at), {})).rejects.toMatchObject({
    code: 'INVALID_CONTEXT',
    key,
    path,
  });
});
