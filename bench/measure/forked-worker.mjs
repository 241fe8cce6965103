import { fork } from 'node:child_process';

/** Runs a worker; it says what it does by messages, which are kept until they are asked for. */
export async function startWorker(script, env) {
  const child = fork(script, [], { env: { ...process.env, ...env } });
  const messages = [];
  const waiting = [];
  let hasExited = false;
  const wake = () => {
    for (const look of waiting.splice(0)) look();
  };
  const exited = new Promise((resolve) =>
    child.once('exit', (code, signal) => {
      hasExited = true;
      wake();
      resolve({ code, signal });
    }),
  );
  child.on('message', (message) => {
    messages.push(message);
    wake();
  });
  const next = async (type) => {
    for (;;) {
      const at = messages.findIndex((message) => message.type === type);
      if (at >= 0) return messages.splice(at, 1)[0];
      if (hasExited) throw new Error(`The worker has ended without saying "${type}".`);
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
  await next('ready');
  return {
    process: child,
    next,
    send: (message) => child.send(message),
    stop: async () => {
      child.send('stop');
      await exited;
    },
  };
}
