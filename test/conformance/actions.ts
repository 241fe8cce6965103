import { expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type { ActionKind, ScheduleColumns } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';

const SCHEDULE: ScheduleColumns = {
  workflow: 'w',
  spec: '{"every":3600000}',
  input: null,
  origin: 'api',
  state: 'active',
  reason: null,
  nextFor: null,
  nextAt: null,
  lastError: null,
};

export function describeActions(tested: TestedStore): void {
  const kinds = async (subject: string) =>
    (await tested.store.actions.list({ subject, actor: null, before: null, limit: 10 })).map(
      ({ kind, actor, reason, executionId }) => [kind, actor, reason, executionId],
    );

  test('actions are listed by subject, the latest first, in pages', async () => {
    const [subject, executionId] = [`schedule ${uuid()}`, uuid()];
    const action = { kind: 'schedule.run', subject, reason: null } as const;
    for (const actor of ['Ann', 'Ben', 'Cat']) {
      await tested.store.actions.record({ ...action, actor, executionId, callId: uuid() });
    }
    const page = { subject, actor: null, before: null, limit: 2 };
    const first = await tested.store.actions.list(page);
    expect(first).toEqual([
      { ...action, actor: 'Cat', executionId, id: expect.any(String), at: expect.any(Date) },
      { ...action, actor: 'Ben', executionId, id: expect.any(String), at: expect.any(Date) },
    ]);
    const rest = await tested.store.actions.list({ ...page, before: first[1]!.id });
    expect(rest.map(({ actor }) => actor)).toEqual(['Ann']);
    const all = await tested.store.actions.list({ ...page, subject: null, limit: 100 });
    expect(all.map(({ actor }) => actor)).toEqual(expect.arrayContaining(['Ann', 'Ben', 'Cat']));
  });

  test('actions are listed by actor, also of one subject, whatever the length of the name', async () => {
    const [subject, other, actor] = [`schedule ${uuid()}`, `schedule ${uuid()}`, `Ann ${uuid()}`];
    const action = { kind: 'schedule.paused', reason: null, executionId: null } as const;
    const endless = `${actor}${'n'.repeat(10_000)}`;
    await tested.store.actions.record({ ...action, subject, actor, callId: uuid() });
    await tested.store.actions.record({ ...action, subject: other, actor, callId: uuid() });
    await tested.store.actions.record({ ...action, subject, actor: endless, callId: uuid() });
    const list = async (by: { subject: string | null; actor: string | null }) =>
      (await tested.store.actions.list({ ...by, before: null, limit: 10 })).map((one) => [
        one.subject,
        one.actor,
      ]);
    expect(await list({ subject: null, actor })).toEqual([
      [other, actor],
      [subject, actor],
    ]);
    expect(await list({ subject, actor })).toEqual([[subject, actor]]);
    expect(await list({ subject: null, actor: endless })).toEqual([[subject, endless]]);
    const page = { subject: null, actor, limit: 1 };
    const [latest] = await tested.store.actions.list({ ...page, before: null });
    const rest = await tested.store.actions.list({ ...page, before: latest!.id });
    expect(rest.map((one) => one.subject)).toEqual([subject]);
  });

  test('a change of a workflow or a schedule records its actor, and nothing without one or without a change', async () => {
    const { pauses, schedules } = tested.store;
    const workflow = `workflow ${uuid()}`;
    const acted = (actor: string, kind: ActionKind, reason: string | null = null) => ({
      callId: uuid(),
      kind,
      actor,
      reason,
    });
    await pauses.pause(workflow, 'bank', acted('Ann', 'workflow.paused', 'bank'));
    await pauses.resume(workflow, acted('Ben', 'workflow.resumed'));
    await pauses.resume(workflow, acted('Cat', 'workflow.resumed'));
    await pauses.pause(workflow, null);
    await pauses.resume(workflow);
    expect(await kinds(workflow)).toEqual([
      ['workflow.resumed', 'Ben', null, null],
      ['workflow.paused', 'Ann', 'bank', null],
    ]);

    const name = `schedule ${uuid()}`;
    const by = (kind: ActionKind) =>
      acted('Dan', kind, kind === 'schedule.paused' ? 'holiday' : null);
    expect(await schedules.create(name, SCHEDULE, undefined, by('schedule.created'))).toBe(true);
    expect(await schedules.create(name, SCHEDULE, undefined, by('schedule.created'))).toBe(false);
    const change = (version: number) =>
      schedules.change(name, version, SCHEDULE, null, undefined, by('schedule.paused'));
    expect(await change(7)).toBe(false);
    expect(await change(1)).toBe(true);
    expect(await schedules.change(name, 2, SCHEDULE, null)).toBe(true);
    expect(await schedules.delete(name, undefined, by('schedule.deleted'))).toBe(true);
    expect(await schedules.delete(name, undefined, by('schedule.deleted'))).toBe(false);
    expect(await kinds(name)).toEqual([
      ['schedule.deleted', 'Dan', null, null],
      ['schedule.paused', 'Dan', 'holiday', null],
      ['schedule.created', 'Dan', null, null],
    ]);
  });

  test('a call that is sent again after a lost reply records its action once', async () => {
    const { actions, pauses, schedules } = tested.store;
    const noted = (kind: ActionKind) => ({ callId: uuid(), kind, actor: 'Ann', reason: null });
    const twice = async (send: () => Promise<unknown>): Promise<void> => {
      await send();
      await send();
    };
    const [workflow, name] = [`workflow ${uuid()}`, `schedule ${uuid()}`];
    const paused = noted('workflow.paused');
    await twice(() => pauses.pause(workflow, null, paused));
    await pauses.resume(workflow);
    const run = { ...noted('schedule.run'), subject: name, executionId: uuid() };
    await twice(() => actions.record(run));
    // What is sent again finds the schedule, and changes it once more.
    const put = noted('schedule.created');
    await schedules.create(name, SCHEDULE, undefined, put);
    await schedules.change(name, 1, SCHEDULE, null, undefined, {
      ...put,
      kind: 'schedule.updated',
    });
    const deleted = noted('schedule.deleted');
    await twice(() => schedules.delete(name, undefined, deleted));
    expect(await kinds(workflow)).toEqual([['workflow.paused', 'Ann', null, null]]);
    expect(await kinds(name)).toEqual([
      ['schedule.deleted', 'Ann', null, null],
      ['schedule.created', 'Ann', null, null],
      ['schedule.run', 'Ann', null, run.executionId],
    ]);
  });
}
