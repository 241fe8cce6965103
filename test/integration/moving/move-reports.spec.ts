import { beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { DoctorFinding } from '../../../lib/doctor/doctor-types.js';
import { freshSchema } from '../../support/postgres.js';
import { type CliOutput, runCli } from '../../support/run-cli.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { move, PlainMove, type End } from '../fleet/plain-move.js';

let eu: End;
let us: End;
beforeAll(async () => {
  const [first, second] = await Promise.all([scratchDatabase(), scratchDatabase()]);
  eu = { server: 'eu', url: first };
  us = { server: 'us', url: second };
}, 120_000);

const run = (line: string): Promise<CliOutput> =>
  runCli(line.split(' '), { env: { CLOACINA_SERVERS: `eu=${eu.url},us=${us.url}` } });

async function tenantOnEu(): Promise<string> {
  const schema = freshSchema('reported');
  await run(`tenants create ${schema} --server eu`);
  return schema;
}

/** The line of `tenants list` for the schema on a server. */
async function lineOf(schema: string, server: string, options = ''): Promise<string | undefined> {
  const { stdout } = await run(`tenants list${options}`);
  return stdout.split('\n').find((line) => line.startsWith(schema) && line.includes(` ${server} `));
}

/** What `doctor` finds of the schema: the check, the server, and the state of its move. */
async function found(schema: string): Promise<unknown[]> {
  // The server of tests has fsync off.
  const { json } = await run('doctor --ignore durability --json');
  const { findings, servers } = json<{
    findings: DoctorFinding[];
    servers: { findings: DoctorFinding[] }[];
  }>();
  return [...findings, ...servers.flatMap((one) => one.findings)]
    .filter((finding) => finding.schema === schema)
    .map(({ check, server, facts }) => [check, server, facts['state']]);
}

describe('a move to another server', () => {
  it('is no fault while a process carries it out, as the source alone knows', async () => {
    const schema = await tenantOnEu();
    const steps = await PlainMove.open(schema, eu, us);
    try {
      await steps.begin();
      expect(await lineOf(schema, 'eu')).toMatch(/ copied to us$/);
      expect(await lineOf(schema, 'us')).toMatch(/ arrives from eu$/);
      expect(await found(schema)).toEqual([]);
    } finally {
      await steps.close();
    }
    expect(await found(schema)).toEqual([
      ['unfinished-move', 'eu', 'copying'],
      ['unfinished-move', 'us', 'arriving'],
    ]);
    expect(await lineOf(schema, 'us')).toMatch(/ arrives from eu, interrupted$/);
    // Without its source, it is not known.
    expect(await lineOf(schema, 'us', ' --server us')).toMatch(/ from eu, which was not asked /);
    const alone = new CloacinaAdmin({ servers: { us: { databaseUrl: us.url } } });
    expect(await alone.listTenants()).toContainEqual(
      expect.objectContaining({
        schema,
        move: expect.objectContaining({ state: 'arriving', isInterrupted: null }),
      }),
    );
  }, 120_000);

  it('leaves a source that is no second tenant', async () => {
    const schema = await tenantOnEu();
    await move(schema, eu, us);
    expect(await found(schema)).toEqual([['unfinished-move', 'eu', 'moved']]);
  }, 120_000);
});

describe('the list of tenants with onAway', () => {
  const nowhere = 'postgres://nobody@127.0.0.1:1/nothing';

  it('has those of the servers that answer, and names the others', async () => {
    const schema = await tenantOnEu();
    const admin = new CloacinaAdmin({
      servers: { eu: { databaseUrl: eu.url }, away: { databaseUrl: nowhere } },
    });
    const away: string[] = [];
    const listed = await admin.listTenants({
      onAway: (server, { code }) => away.push(`${server}: ${code}`),
    });
    expect(away).toEqual(['away: DATABASE_UNAVAILABLE']);
    expect(listed).toContainEqual(expect.objectContaining({ schema, server: 'eu' }));
    await expect(admin.listTenants()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });

  it('rejects if no server answers', async () => {
    const admin = new CloacinaAdmin({ servers: { away: { databaseUrl: nowhere } } });
    await expect(admin.listTenants({ onAway: () => undefined })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
  });
});
