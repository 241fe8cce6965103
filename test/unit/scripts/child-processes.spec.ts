import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';

let child: TestChild;
beforeAll(async () => {
  child = startChild(new URL('answers.mjs', import.meta.url));
  await child.message((message) => message === 'ready');
});

// The server of a test file may be such a process: a connection that the hook ends would find it stopping.
afterAll(async () => {
  expect(child.running).toBe(true);
  child.send({});
  await child.message((message) => message === 'answer');
});

it('A child process lives until the hooks of the test file are over', async () => {
  child.send({});
  await child.message((message) => message === 'answer');
});
