import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { UnknownScheduleError } from '../../../lib/errors/index.js';
import type { HistoryEntry } from '../../../lib/runner/history-entry.js';
import { openTenant } from '../../support/open-tenant.js';

const Approval = defineSignal<{ ok: boolean }>('approval');
const nightly = defineWorkflow('nightly')
  .task('one', () => ({}))
  .build();
const approve = defineWorkflow('approve')
  .task('first', async (context) => {
    await context.waitFor(Approval);
  })
  .task('second', { dependsOn: ['first'] }, async (context) => {
    await context.waitFor(Approval);
  })
  .task('third', { dependsOn: ['second'] }, async (context) => {
    await context.waitFor(Approval);
  })
  .build();
const DAY = 86_400_000;

describe('The actor of a call', () => {
  it('is listed with what was done to workflows and schedules', async () => {
    const { runner } = await openTenant([nightly]);
    const { schedules } = runner;
    const at = new Date(Date.now() + DAY);
    await schedules.create('s', nightly, { every: '1d', startAt: at }, {}, { actor: 'Ann' });
    await schedules.create('s', nightly, { every: '2d', startAt: at }, {}, { actor: 'Ben' });
    await schedules.update('s', { every: '1d' }, { actor: 'Cat' });
    await schedules.pause('s', { actor: 'Dan', reason: 'holiday' });
    await schedules.resume('s', { actor: 'Eve' });
    await schedules.pause('s');
    await schedules.resume('s', { actor: 'Eve', catchUp: 'once' });
    const run = await schedules.runNow('s', { actor: 'Fay' });
    const range = { from: new Date(Date.now() - 3 * DAY), to: new Date() };
    await schedules.backfill('s', { ...range, actor: 'Gus', dryRun: true });
    await schedules.backfill('s', { ...range, actor: 'Gus' });
    await schedules.delete('s', { actor: 'Hal' });
    await runner.pauseWorkflow(nightly, { actor: 'Ian', reason: 'bank' });
    await runner.resumeWorkflow(nightly, { actor: 'Joe' });
    // Without an actor, and without the schedule, nothing is recorded.
    await expect(schedules.runNow('none', { actor: 'Kay' })).rejects.toThrow(UnknownScheduleError);
    await expect(schedules.pause('none', { actor: 'Kay' })).rejects.toThrow(UnknownScheduleError);

    const done = (await runner.actions()).map(({ id: _, at: time, ...entry }) => {
      expect(time).toBeInstanceOf(Date);
      return entry;
    });
    expect(done.toReversed()).toEqual([
      { kind: 'schedule.created', subject: 's', actor: 'Ann' },
      { kind: 'schedule.updated', subject: 's', actor: 'Ben' },
      { kind: 'schedule.updated', subject: 's', actor: 'Cat' },
      { kind: 'schedule.paused', subject: 's', actor: 'Dan', reason: 'holiday' },
      { kind: 'schedule.resumed', subject: 's', actor: 'Eve' },
      { kind: 'schedule.resumed', subject: 's', actor: 'Eve' },
      { kind: 'schedule.run', subject: 's', actor: 'Fay', executionId: run.id },
      { kind: 'schedule.backfilled', subject: 's', actor: 'Gus' },
      { kind: 'schedule.deleted', subject: 's', actor: 'Hal' },
      { kind: 'workflow.paused', subject: 'nightly', actor: 'Ian', reason: 'bank' },
      { kind: 'workflow.resumed', subject: 'nightly', actor: 'Joe' },
    ]);
    const [latest] = await runner.actions({ subject: 'nightly', limit: 1 });
    const before = await runner.actions({ subject: 'nightly', before: latest!.id });
    expect([latest!.actor, before.map(({ actor }) => actor)]).toEqual(['Joe', ['Ian']]);
    const byEve = await runner.actions({ actor: 'Eve' });
    expect(byEve.map(({ kind }) => kind)).toEqual(['schedule.resumed', 'schedule.resumed']);
    expect(await runner.actions({ actor: 'Eve', subject: 'nightly' })).toEqual([]);
    for (const wrong of [{ limit: 0 }, { before: 'x' }, { subjekt: 's' }, { actor: 7 as never }]) {
      await expect(runner.actions(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    const actor = 7 as never;
    await expect(runner.resumeWorkflow(nightly, { actor })).rejects.toThrow('actor');
    await expect(schedules.runNow('s', { actor })).rejects.toThrow('actor');
  });

  it('is forgotten after 400 days, and no call waits for a transaction that forgets', async () => {
    const { runner, dataSource, query } = await openTenant([nightly]);
    await query(`INSERT INTO cloacina_action (kind, subject, actor, call_id, created_at)
      SELECT 'workflow.paused', 'old', 'Ann', gen_random_uuid(), now() - interval '401 days' FROM generate_series(1, 12)`);
    const pause = (): Promise<void> => runner.pauseWorkflow(nightly, { actor: 'Cat' });
    const old = async (): Promise<number> =>
      (await query(`SELECT FROM cloacina_action WHERE subject = 'old'`)).length;
    await dataSource.transaction(async (manager) => {
      // It deletes the first ten, which it keeps locked.
      await runner.schedules.create('s', nightly, { every: '1d' }, {}, { manager, actor: 'Ben' });
      await pause();
      expect(await old()).toBe(12);
    });
    expect(await old()).toBe(2);
    await pause();
    expect((await runner.actions()).map(({ actor }) => actor)).toEqual(['Cat', 'Cat', 'Ben']);
  });

  it('of a signal and of a legal hold is in the history of the execution', async () => {
    const { runner, query } = await openTenant([approve]);
    const { id } = await runner.start(approve, {}, { idempotencyKey: 'k' });
    const signal = { ok: true };
    await runner.signal(id, Approval, signal, { actor: 'Ann', idempotencyKey: 'once' });
    await runner.signal(id, Approval, signal, { actor: 'Ann', idempotencyKey: 'once' });
    await runner.signal({ workflow: approve, key: 'k' }, Approval, signal, { actor: 'Ben' });
    await runner.legalHold(id, { actor: 'Cat', reason: 'law' });
    await runner.releaseLegalHold(id, { actor: 'Dan' });
    await runner.signal(id, Approval, signal);
    await runner.handle(id).result();
    const acts = (await runner.history(id))!.flatMap((entry: HistoryEntry) =>
      'actor' in entry ? [[entry.type, entry.actor]] : [],
    );
    expect(acts).toEqual([
      ['execution.signalled', 'Ann'],
      ['execution.signalled', 'Ben'],
      ['execution.legalHold', 'Cat'],
      ['execution.legalHoldReleased', 'Dan'],
    ]);
    expect(await query('SELECT FROM cloacina_action')).toEqual([]);
    await expect(runner.signal(id, Approval, signal, { actor: 'Eve' })).rejects.toMatchObject({
      code: 'INVALID_TRANSITION',
    });
    expect(
      (await runner.history(id))!.filter(({ type }) => type.endsWith('signalled')),
    ).toHaveLength(2);
  });
});
