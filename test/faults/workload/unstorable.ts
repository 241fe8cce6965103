import type { TaskContext } from '../../../lib/discovery/task-context.js';

/** What a database with the encoding LATIN1 can't store. */
export const FOREIGN = '日本語';

/** What handlers do that can't be stored. */
export const UNSTORABLE: [string, (context: TaskContext) => unknown][] = [
  ['returns it', () => ({ text: FOREIGN })],
  ['returns it deep in an array', () => ({ list: [{ text: ['plain', FOREIGN] }] })],
  ['returns it as a key', () => ({ [FOREIGN]: 1 })],
  [
    'sets it in the context',
    (context) => {
      context.set('text', FOREIGN);
      return { other: 1 };
    },
  ],
  [
    'sets it in the context and throws',
    (context) => {
      context.set('text', FOREIGN);
      throw new Error('failed in plain words');
    },
  ],
  [
    'throws it',
    () => {
      throw new Error(FOREIGN);
    },
  ],
  [
    'throws it as the name of an error',
    () => {
      throw Object.assign(new Error('failed'), { name: FOREIGN });
    },
  ],
  [
    'throws it as a code and a cause',
    () => {
      throw Object.assign(new Error('failed', { cause: new TypeError(FOREIGN) }), {
        code: FOREIGN,
      });
    },
  ],
  [
    'sets and throws it',
    (context) => {
      context.set('text', FOREIGN);
      throw new Error(FOREIGN);
    },
  ],
  [
    'throws many of it',
    () => {
      throw new AggregateError([new Error(FOREIGN), new Error('x')], FOREIGN);
    },
  ],
];
