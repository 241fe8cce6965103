import { beforeAll, describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { signToken } from '../../../lib/engine/messages/signal-token.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { CloacinaTokens } from '../../../lib/tenants/hosting/cloacina-tokens.js';
import { openTenant, openTenants, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const SECRET = 'the secret of these tests, 32 long';
const OLD = 'an older secret, as long as it must be';

/** A schema that takes `{ ok: boolean }` and gives it a default. */
const schema: StandardSchemaV1<{ ok?: boolean }, { ok: boolean }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const ok: unknown = Reflect.get(Object(value) as object, 'ok') ?? true;
      return typeof ok === 'boolean'
        ? { value: { ok } }
        : { issues: [{ message: 'must be a boolean', path: ['ok'] }] };
    },
  },
};
const Answer = defineSignal('token answer', { schema });

const issued: string[] = [];
const asking = defineWorkflow('asking')
  .task('ask', async (context) => {
    await context.step('issue', () => {
      issued.push(context.signalToken(Answer, { expiresIn: '1h' }));
    });
    return { answer: await context.waitFor(Answer) };
  })
  .build();

describe('A token', () => {
  let acme: OpenTenant;
  let tokens: CloacinaTokens;
  beforeAll(async () => {
    [acme] = (await openTenants(
      [asking],
      [{ signalSecrets: [SECRET, OLD] }, { signalSecrets: [OLD] }],
    )) as [OpenTenant, OpenTenant];
    tokens = new CloacinaTokens({ host: acme.host, secrets: [SECRET], clock: systemClock });
  });

  async function tokenOf(): Promise<readonly [string, string]> {
    const before = issued.length;
    const { id } = await acme.runner.start(asking);
    return [id, await waitFor(() => issued[before])];
  }

  it('sends the signal once, with a payload that the schema has checked', async () => {
    const [id, token] = await tokenOf();
    await expect(tokens.complete(token, { ok: 'yes' })).rejects.toMatchObject({
      code: 'INVALID_CONTEXT',
      message:
        'The payload of the signal "token answer" at ok does not match its schema: must be a boolean.',
    });
    const sent = { tenant: acme.name, executionId: id };
    expect(await tokens.complete(token, {})).toEqual(sent);
    expect((await acme.runner.handle(id).result()).context).toMatchObject({ answer: { ok: true } });
    expect(await tokens.complete(token, { ok: false })).toEqual(sent);
    const [row] = await acme.query<{ n: string }>(
      'SELECT count(*) AS n FROM cloacina_signal WHERE execution_id = $1',
      [id],
    );
    expect(row?.n).toBe('1');
  });

  it('that has expired is refused, and so is one that says it has not', async () => {
    const [id, token] = await tokenOf();
    const inTwoHours = { wallTime: () => Date.now() + 7_200_000 };
    const later = new CloacinaTokens({ host: acme.host, secrets: [SECRET], clock: inTwoHours });
    await expect(later.complete(token, {})).rejects.toMatchObject({
      code: 'TOKEN_EXPIRED',
      expiredAt: expect.any(Date),
    });
    const content = { tenant: acme.name, executionId: id, signal: Answer.name, nonce: 'n' };
    const forged = signToken(
      { ...content, expiresAt: Date.now() + 10_000 },
      'a guess of the secret, long enough',
    );
    await expect(tokens.complete(forged, {})).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('of an older secret is accepted while the secret is in the list', async () => {
    const [id] = await tokenOf();
    const content = { tenant: acme.name, executionId: id, signal: Answer.name, nonce: 'n' };
    const old = signToken({ ...content, expiresAt: Date.now() + 100_000 }, OLD);
    expect(await tokens.complete(old, {})).toMatchObject({ executionId: id });
  });

  it('of a tenant that is not served, or with a secret of another tenant, is refused', async () => {
    const [id] = await tokenOf();
    const other = acme.host.list().find(({ tenant }) => tenant.name !== acme.name)!;
    const content = {
      executionId: id,
      signal: Answer.name,
      nonce: 'n',
      expiresAt: Date.now() + 100_000,
    };
    for (const tenant of ['nowhere', other.tenant.name]) {
      const token = signToken({ ...content, tenant }, SECRET);
      await expect(tokens.complete(token, {})).rejects.toMatchObject({ code: 'INVALID_TOKEN' });
    }
    const elsewhere = signToken({ ...content, tenant: other.tenant.name }, OLD);
    await expect(tokens.complete(elsewhere, {})).rejects.toMatchObject({
      code: 'UNKNOWN_EXECUTION',
    });
  });

  it('of a signal that this process does not define is refused', async () => {
    const content = { tenant: acme.name, executionId: 'x', signal: 'unheard of', nonce: 'n' };
    const token = signToken({ ...content, expiresAt: Date.now() + 100_000 }, SECRET);
    await expect(tokens.complete(token, {})).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('needs a secret', async () => {
    const plain = await openTenant([asking]);
    const { id } = await plain.runner.start(asking);
    expect(await plain.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      tasks: [{ error: { code: 'NOT_ALLOWED', message: expect.stringContaining('signalSecret') } }],
    });
  });
});
