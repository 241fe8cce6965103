import { describe, expect, it } from '@jest/globals';
import { EventListeners } from '../../../lib/events/event-listeners.js';
import {
  EVENT_NAMES,
  exactNamesOf,
  type WorkflowEventName,
} from '../../../lib/events/event-name.js';
import { TenantEvents } from '../../../lib/events/tenant-events.js';
import type { WorkflowEvent } from '../../../lib/events/workflow-event.js';

const claim = {
  executionId: 'e1',
  definition: { workflow: { name: 'order' } },
  task: { name: 'charge', retry: { maxAttempts: 3 } },
  failures: 1,
};
const error = { name: 'TypeError', message: 'no' };

/** One tenant whose events go to listeners only. */
function tenant() {
  const listeners = new EventListeners();
  const events = new TenantEvents('acme', {
    wants: (name) => listeners.want(name),
    next: (event) => listeners.tell(event),
  });
  const heard = (...names: WorkflowEventName[]): WorkflowEvent[] => {
    const got: WorkflowEvent[] = [];
    listeners.add({ names, receive: (event) => void got.push(event) });
    return got;
  };
  return { listeners, events, heard };
}

/** Everything that can be told, each once. */
function tellAll(events: TenantEvents): void {
  events.executionStarted('e1', 'order', null);
  for (const status of ['Completed', 'Failed', 'Cancelled'] as const) {
    events.executionEnded('e1', 'order', status);
  }
  for (const type of ['execution.paused', 'execution.resumed', 'execution.retried'] as const) {
    events.executionControlled(type, 'e1', 'order');
  }
  events.taskStarted(claim);
  for (const status of ['Completed', 'Failed', 'Skipped'] as const) {
    events.taskEnded(claim, status, error);
  }
  events.taskRetrying(claim, error, 5);
  events.taskDeferred(claim, 5);
  events.taskSuspended(claim, 1_000);
  for (const type of ['task.recovered', 'task.abandoned'] as const) {
    events.taskRecovered(type, {
      executionId: 'e1',
      workflow: 'order',
      task: 'charge',
      cause: 'x',
    });
  }
  events.claimLost(claim);
}

describe('EventListeners', () => {
  it.each(EVENT_NAMES as WorkflowEventName[])('tell of %s to those who ask for it only', (name) => {
    const { events, heard } = tenant();
    const got = heard(name);
    tellAll(events);
    const kinds = got.map((event) =>
      'status' in event ? `${event.type}/${event.status}` : event.type,
    );
    const [subject, end] = name.split('.');
    const status = `${end?.[0]?.toUpperCase()}${end?.slice(1)}`;
    const exact = exactNamesOf(name);
    expect(got).toHaveLength(exact.length);
    const ends = ['completed', 'failed', 'cancelled', 'skipped'].includes(end ?? '');
    if (ends) expect(kinds).toEqual([`${subject}.ended/${status}`]);
    else expect(new Set(got.map(({ type }) => type))).toEqual(new Set([name]));
  });

  it('make no event that none of them wants', () => {
    const { events, listeners } = tenant();
    const sent: string[] = [];
    listeners.add({ names: ['task.failed'], receive: ({ type }) => void sent.push(type) });
    const unread = Object.defineProperty({ ...claim }, 'task', {
      get: () => {
        throw new Error('read');
      },
    });
    events.taskEnded(unread, 'Completed');
    events.taskStarted(unread);
    expect(() => events.taskEnded(unread, 'Failed', error)).toThrow('read');
    expect(sent).toEqual([]);
  });

  it('tell one listener with two names of an event once', () => {
    const { events, heard } = tenant();
    const got = heard('task.ended', 'task.failed');
    events.taskEnded(claim, 'Failed', error);
    expect(got).toEqual([
      {
        type: 'task.ended',
        tenant: 'acme',
        executionId: 'e1',
        workflow: 'order',
        task: 'charge',
        attempt: 2,
        maxAttempts: 3,
        status: 'Failed',
        error,
      },
    ]);
  });

  it('are settled when all that began is done', async () => {
    const { events, listeners } = tenant();
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    listeners.add({ names: ['task.failed'], receive: () => work });
    let over = false;
    await listeners.settled();
    events.taskEnded(claim, 'Failed', error);
    const settled = listeners.settled().then(() => (over = true));
    await new Promise(setImmediate);
    expect(over).toBe(false);
    finish();
    await settled;
  });
});
