import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);

// The test that started this process has ended, or was killed: nothing is left to wait for. Looked at now and then,
// for a listener to `disconnect` would keep alive a child that is done.
setInterval(() => {
  if (!process.connected) process.exit(0);
}, 250).unref();
