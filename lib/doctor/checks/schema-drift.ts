import { firstOf, CheckSkipped, type Found, type TenantCheck } from '../check.js';
import { compareShapes, readShape, type ShapeLine } from '../schema-shape.js';
import { cloacinaMigrations } from '../../store/postgres/migrations/index.js';

/** Tables, columns, indexes, constraints and triggers that are not what the applied migrations make. */
export const schemaDrift: TenantCheck = {
  scope: 'tenant',
  id: 'schema-drift',
  severity: 'error',
  title: 'The tables are not what the migrations make',
  reads: 'history',
  find: async ({ client, schema, applied, expectedShape }) => {
    const known = new Set(cloacinaMigrations.map((Migration) => new Migration().name));
    if (applied.some((name) => !known.has(name)))
      throw new CheckSkipped('A newer version of the library has migrated the schema.');
    const { missing, changed, unexpected } = compareShapes(
      await expectedShape(),
      await readShape(client, schema),
    );
    const found: Found[] = [];
    const add = (
      what: string,
      lines: readonly ShapeLine[],
      severity: Found['severity'],
      say: (line: ShapeLine) => string,
    ): void => {
      if (lines.length === 0) return;
      found.push({
        ...(severity === undefined ? {} : { severity }),
        detail: `Schema "${schema}": ${what} ${firstOf(lines.map(say))}.`,
        facts: { drift: what, objects: lines.map(nameOf) },
      });
    };
    add('missing', missing, undefined, (line) =>
      // A table is made by more than one statement.
      line.kind === 'table' ? nameOf(line) : `${nameOf(line)} (made as "${line.definition}")`,
    );
    add(
      'changed',
      changed.map(({ actual }) => actual),
      undefined,
      (line) => {
        const before = changed.find(({ actual }) => actual === line)?.expected.definition ?? '';
        return `${nameOf(line)} (now "${line.definition}", made as "${before}")`;
      },
    );
    add('not from the library:', unexpected, 'warning', nameOf);
    return found;
  },
  advice: ({ facts }) =>
    facts['drift'] === 'missing' || facts['drift'] === 'changed'
      ? 'Create the objects again as they were made, or restore the schema from a backup. A new schema shows all of them: "npx nestjs-cloacina migrate --schema NAME" makes one. Find out which statement changed them.'
      : 'An additional index, column or trigger on a table of the library slows down every claim and outcome. Drop it, or move it to a table of the application.',
};

function nameOf({ kind, relation, name }: ShapeLine): string {
  return kind === 'table' || kind === 'view' ? `${kind} ${name}` : `${kind} ${name} of ${relation}`;
}
