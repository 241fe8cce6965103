import { randomUUID } from 'node:crypto';
import { pick } from '../workload/random.js';
import { eventKey, Item, News } from './messages.js';
import type { Program } from './program.js';
import type { Sending } from './send.js';

/** An execution that has shown up in the database. */
export interface Seen {
  readonly id: string;
  readonly workflow: string;
  readonly path: string;
  readonly key: string | null;
}

/** A message, when it is sent, and by whom: the test's own process, or one that may be killed. */
export interface Planned {
  readonly afterMs: number;
  readonly by: 'client' | 'worker';
  readonly sending: Sending;
}

/** The events that an execution waits for, which may be sent before it is started. */
export function eventsFor({ tasks }: Program, path: string, random: () => number): Planned[] {
  const keys = new Set<string>();
  for (const { node, ops } of tasks) {
    if (node?.kind === 'event') keys.add(path);
    for (const op of ops) {
      const isAwaited = op.kind === 'any' || (op.kind === 'event' && op.from === 'outside');
      if (isAwaited) keys.add(eventKey(path, op.name));
    }
  }
  return [...keys].map((event) => planned(random, { to: { event }, name: News.name }, 'news'));
}

/** The signals that an execution waits for, and those that it sends to itself once more, in case it did not. */
export function signalsFor(
  { tasks }: Program,
  { id, workflow, path, key }: Seen,
  random: () => number,
): Planned[] {
  const to = (): Sending['to'] => (key === null || random() < 0.5 ? { id } : { workflow, key });
  const all: Planned[] = [];
  const send = (name: string, what = name): void => {
    all.push(planned(random, { to: to(), name }, what));
    if (random() < 0.1) all.push(rolledBack(random, { to: to(), name }, what));
  };
  for (const { name: task, node, ops } of tasks) {
    if (node?.kind === 'signal') send(task);
    if (node?.kind === 'timeout' && random() < 0.5) send(task);
    for (const op of ops) {
      const { kind, name } = op;
      if (kind === 'any' || (kind === 'timed' && op.isSent)) send(name);
      if (kind === 'signal' && op.from === 'outside') send(Item.name, 'item');
      if (kind === 'signal' && op.from === 'itself') {
        const payload = { for: 'item', value: name };
        all.push(later(random, { to: { id }, name: Item.name, payload, idempotencyKey: name }));
      }
      if (kind === 'event' && op.from === 'itself') {
        const payload = { for: name, value: name };
        const event = eventKey(path, name);
        all.push(later(random, { to: { event }, name: News.name, payload, idempotencyKey: name }));
      }
    }
  }
  return all;
}

function planned(
  random: () => number,
  message: Pick<Sending, 'to' | 'name'>,
  what: string,
): Planned {
  const value = randomUUID();
  const sending: Sending = { ...message, payload: { for: what, value } };
  const keyed: Sending = { ...sending, idempotencyKey: value };
  const inTransactionMs = Math.floor(random() * 300);
  const afterMs = random() < 0.3 ? 0 : Math.floor(random() * 1_200);
  const [by, how] = pick(random, [
    ['client', sending],
    ['client', keyed],
    ['client', { ...keyed, inTransactionMs }],
    ['worker', keyed],
    ['worker', { ...keyed, inTransactionMs }],
  ] as const);
  return { afterMs, by, sending: how };
}

function rolledBack(
  random: () => number,
  message: Pick<Sending, 'to' | 'name'>,
  what: string,
): Planned {
  const payload = { for: what, value: randomUUID() };
  const inTransactionMs = Math.floor(random() * 300);
  const sending: Sending = { ...message, payload, inTransactionMs, rollsBack: true };
  return { afterMs: Math.floor(random() * 500), by: 'client', sending };
}

function later(random: () => number, sending: Sending): Planned {
  return { afterMs: 1_000 + Math.floor(random() * 2_000), by: 'client', sending };
}
