import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { SignalDefinition } from '../../../lib/discovery/message-definitions.js';

/** What a message carries: which one it is, and a value that no other has. */
export interface Payload {
  readonly for: string;
  readonly value: string;
}

/** The mailbox that all tasks of an execution share. */
export const Item = defineSignal<Payload>('item');
/** An event of one execution, or with the key {@link SHARED_KEY} of all of them. */
export const News = defineEvent<Payload>('news', { keepFor: '1h' });
export const SHARED_KEY = 'shared';
/** Sent in transactions that roll back. */
export const ROLLED_BACK = 'rolled back';

/** The signal of one point of a program. */
export function signalOf(name: string): SignalDefinition<Payload> {
  return defineSignal<Payload>(name);
}

/** The key of the event of one point. */
export function eventKey(path: string, name: string): string {
  return `${path} ${name}`;
}

/** A signal that nothing waits for, with which executions are started. */
export const HELLO = 'hello';
