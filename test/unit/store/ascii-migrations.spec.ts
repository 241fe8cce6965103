import { expect, it } from '@jest/globals';
import type { QueryRunner } from 'typeorm';
import { cloacinaMigrations } from '../../../lib/store/postgres/migrations/index.js';

it.each(cloacinaMigrations.map((Migration) => new Migration()))(
  '$name has only characters that a database of any encoding stores',
  async (migration) => {
    const statements: string[] = [];
    const runner = {
      connection: { options: { type: 'postgres', schema: 'acme' } },
      query: async (sql: string) => {
        statements.push(sql);
        return [];
      },
    };
    await migration.up(runner as unknown as QueryRunner);
    expect(statements.join()).toContain('CREATE TABLE');
    for (const sql of statements) expect(sql).toMatch(/^[\t\n -~]*$/);
  },
);
