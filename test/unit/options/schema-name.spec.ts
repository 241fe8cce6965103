import { describe, expect, it } from '@jest/globals';
import { SchemaNameError } from '../../../lib/errors/index.js';
import { assertSchemaName, validateSchemaName } from '../../../lib/options/schema-name.js';
import { quoteIdentifier } from '../../../lib/tenants/quote-identifier.js';

describe('validateSchemaName', () => {
  it.each([
    'public',
    'tenant_acme',
    '_x',
    'A1',
    'a'.repeat(63),
    'pgx',
    'information_schema_2',
    'select',
  ])('takes %s', (name) => {
    expect(validateSchemaName(name)).toBeUndefined();
    expect(() => assertSchemaName(name)).not.toThrow();
  });

  it.each([
    '',
    ' ',
    '1st',
    'a b',
    'a-b',
    'a.b',
    'a"b',
    "a'b",
    'a;drop',
    'é',
    'naïve',
    'a\0',
    'a\n',
    'a'.repeat(64),
    'pg_catalog',
    'PG_temp',
    'information_schema',
    'Information_Schema',
  ])('refuses %j', (name) => {
    expect(validateSchemaName(name)).toEqual(expect.any(String));
    expect(() => assertSchemaName(name)).toThrow(SchemaNameError);
  });

  it.each([undefined, null, 5, {}])('refuses %p', (name) => {
    expect(validateSchemaName(name)).toBe('is not a string');
  });
});

describe('quoteIdentifier', () => {
  it('quotes whatever it gets', () => {
    expect(quoteIdentifier('Tenant')).toBe('"Tenant"');
    expect(quoteIdentifier('a"b; DROP')).toBe('"a""b; DROP"');
  });

  it('refuses what no identifier can hold', () => {
    expect(() => quoteIdentifier('')).toThrow(SchemaNameError);
    expect(() => quoteIdentifier('a\0b')).toThrow(SchemaNameError);
  });
});
