import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * What an execution consists of, the same for every contender: tasks in topological order, each with the numbers of
 * those it depends on. A payload is carried from the start on; `handlerMs` is what each handler takes.
 */
export function chain(length, options = {}) {
  const tasks = Array.from({ length }, (_, no) => ({ dependsOn: no === 0 ? [] : [no - 1] }));
  return shapeOf({ kind: 'chain', length }, tasks, options);
}

/** One task, `width` tasks in parallel after it, and one after all of these. */
export function fan(width, options = {}) {
  const branches = Array.from({ length: width }, () => ({ dependsOn: [0] }));
  const merge = { dependsOn: branches.map((_, no) => no + 1) };
  return shapeOf({ kind: 'fan', width }, [{ dependsOn: [] }, ...branches, merge], options);
}

/**
 * A parent and one child that it waits for: of a contender with child workflows, two executions. Of one with a graph of
 * jobs, two jobs of which the second depends on the first.
 */
export function family(options = {}) {
  return { ...chain(2, options), kind: 'children' };
}

/**
 * One task with named checkpoints, one after the other. Contenders whose tasks are steps of a function have them in any
 * case; of the others, the tasks of a chain.
 */
export function steps(count, options = {}) {
  return { ...chain(count, options), kind: 'steps' };
}

/**
 * A list of items with a run of the handler for each, and one task after all of these. Contenders without maps start a job or
 * a child for each item and join them by hand.
 */
export function map(items, options = {}) {
  return { ...chain(2, options), kind: 'map', items };
}

function shapeOf(kind, tasks, { payloadBytes, handlerMs = 0 }) {
  tasks.at(-1).last = true;
  return { ...kind, tasks, payloadBytes, handlerMs };
}

/** What is carried: text that doesn't compress to nothing, made where it is used. */
export function payloadOf({ payloadBytes }) {
  if (payloadBytes === undefined) return undefined;
  return randomBytes(Math.ceil((payloadBytes * 3) / 4))
    .toString('base64')
    .slice(0, payloadBytes);
}

/**
 * The handler: nothing, or something that takes a while.
 *
 * @returns {() => void | Promise<void>}
 */
export function taskWork({ handlerMs }) {
  return handlerMs > 0 ? () => delay(handlerMs) : () => {};
}
