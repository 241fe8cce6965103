import { beforeEach, describe, expect, it } from '@jest/globals';
import { PausedWorkflows } from '../../../lib/engine/definitions/paused-workflows.js';
import { PausePass, type PausableTenant } from '../../../lib/engine/pauses/pause-pass.js';
import { WorkflowPauses } from '../../../lib/engine/pauses/workflow-pauses.js';
import type { WorkflowPause } from '../../../lib/store/port/index.js';
import { gate } from '../../support/gate.js';

const pauseOf = (workflow: string): WorkflowPause => ({
  workflow,
  reason: null,
  pausedAt: new Date(0),
});

let rows: WorkflowPause[];
let called: string[];
let paused: PausedWorkflows;
let pauses: WorkflowPauses;
/** Runs before each read of the rows. */
let beforeRead: () => Promise<unknown>;
beforeEach(() => {
  rows = [];
  called = [];
  beforeRead = () => Promise.resolve();
  paused = new PausedWorkflows();
  const claim = (workflow: string, stage: string) =>
    ({ stage, definition: { workflow: { name: workflow } } }) as never;
  pauses = new WorkflowPauses({
    address: 'tenant',
    store: {
      pauses: {
        pause: async (workflow) => void rows.push(pauseOf(workflow)),
        resume: async (workflow) => {
          rows = rows.filter((row) => row.workflow !== workflow);
          return true;
        },
        list: async () => {
          const found = [...rows];
          await beforeRead();
          return found;
        },
      },
    },
    paused,
    catalog: { pausesChanged: () => called.push('catalog') },
    claims: { all: () => [claim('a', 'waiting'), claim('a', 'running'), claim('b', 'waiting')] },
    completer: { giveBack: ({ definition }) => called.push(`back ${definition.workflow.name}`) },
    services: { notifyPauses: (address) => called.push(`notify ${address}`) },
    wakeWorkers: () => called.push('wake'),
  });
});

describe('WorkflowPauses', () => {
  it('tells others, and gives back unstarted claims', async () => {
    await pauses.pause('a', null);
    expect(pauses.get('a')).toMatchObject({ workflow: 'a' });
    expect(called).toEqual(['notify tenant', 'catalog', 'back a', 'wake']);
    called.length = 0;
    await pauses.resume('a');
    expect(pauses.areSome).toBe(false);
    expect(called).toEqual(['notify tenant', 'catalog', 'wake']);
  });

  it('takes reads in their order', async () => {
    const slow = gate();
    beforeRead = () => slow.passed;
    const first = pauses.changedElsewhere();
    rows.push(pauseOf('a'));
    beforeRead = () => Promise.resolve();
    const second = pauses.changedElsewhere();
    slow.open();
    await Promise.all([first, second]);
    expect(pauses.get('a')).toBeDefined();
  });

  it('drops what was read for many tenants before its own change', async () => {
    const { version } = pauses;
    await pauses.pause('a', null);
    pauses.found([], version);
    expect(pauses.areSome).toBe(true);
    pauses.found([], pauses.version);
    expect(pauses.areSome).toBe(false);
  });

  it('is in doubt after a failed read', async () => {
    beforeRead = () => Promise.reject(new Error('away'));
    await pauses.changedElsewhere();
    expect(pauses.isDoubtful).toBe(true);
    beforeRead = () => Promise.resolve();
    await pauses.changedElsewhere();
    expect(pauses.isDoubtful).toBe(false);
  });

  it('is in doubt if it cannot read its own change', async () => {
    beforeRead = () => Promise.reject(new Error('away'));
    await expect(pauses.pause('a', null)).rejects.toThrow('away');
    expect(pauses.areSome).toBe(false);
    expect(pauses.isDoubtful).toBe(true);
  });
});

describe('PausePass', () => {
  let asked: number;
  let tenant: PausableTenant & { hearsNotifications: boolean };
  let pass: PausePass;
  beforeEach(() => {
    asked = 0;
    tenant = {
      store: { handle: { schema: 's' } },
      workflows: { pauses },
      hearsNotifications: true,
    };
    pass = new PausePass({
      session: () => ({
        pausedWorkflows: async () => {
          asked++;
          return [[...rows]];
        },
      }),
      tenants: () => [tenant],
    });
  });
  const rounds = async (count: number): Promise<number> => {
    asked = 0;
    for (let n = 0; n < count; n++) await pass.over(['tenant']);
    return asked;
  };

  it('asks a tenant without pauses at first, after a new session, and seldom', async () => {
    expect(await rounds(20)).toBe(1);
    expect(await rounds(20)).toBe(1);
    pass.connected();
    expect(await rounds(2)).toBe(1);
  });

  it('asks in each round where workflows are paused, in doubt, and without notifications', async () => {
    await rounds(1);
    rows.push(pauseOf('a'));
    await pauses.changedElsewhere();
    expect(await rounds(3)).toBe(3);
    rows = [];
    expect(await rounds(3)).toBe(1);
    expect(pauses.areSome).toBe(false);
    pauses.isDoubtful = true;
    expect(await rounds(3)).toBe(1);
    tenant.hearsNotifications = false;
    expect(await rounds(3)).toBe(3);
  });
});
