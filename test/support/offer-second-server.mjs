import { createServer } from 'node:net';
import { startTestServer } from '../../scripts/test-server.mjs';

/**
 * Starts a second server for the test files that need one, when the first of them asks: most choices of files have none of these.
 * It belongs to this process, which outlives the workers. `second-server.ts` asks.
 *
 * @returns the port that answers each connection with the URL of the server, and what stops both
 */
export async function offerSecondServer() {
  let started;
  const door = createServer((socket) => {
    socket.on('error', () => undefined);
    started ??= startTestServer();
    started.then(
      ({ url }) => socket.end(url),
      (error) => socket.end(`failed: ${error.message}`),
    );
  });
  await new Promise((resolve, reject) => {
    door.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  door.unref();
  return {
    port: door.address().port,
    async stop() {
      door.close();
      await (await started?.catch(() => undefined))?.stop();
    },
  };
}
