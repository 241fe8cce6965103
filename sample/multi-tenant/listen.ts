import { createServer } from 'node:net';
import { type INestApplication, Logger } from '@nestjs/common';

const DEFAULT_PORT = 3000;
const PORTS_TO_TRY = 20;

/** Listens on the given port, or else on the first free port from 3000 on, and returns the URL. */
export async function listen(app: INestApplication, wanted: number | undefined): Promise<string> {
  const first = wanted ?? DEFAULT_PORT;
  const last = wanted ?? DEFAULT_PORT + PORTS_TO_TRY - 1;
  const port = await firstFreePort(first, last);
  if (port === undefined) {
    const which = first === last ? `Port ${first} is` : `Ports ${first} to ${last} are`;
    throw new Error(`${which} taken. Choose another one: PORT=8080 npm start`);
  }
  if (port !== first) new Logger('Listen').warn(`Port ${first} is taken, so this is on ${port}.`);
  await app.listen(port);
  return `http://localhost:${app.getHttpServer().address().port}`;
}

async function firstFreePort(first: number, last: number): Promise<number | undefined> {
  for (let port = first; port <= last; port++) {
    if (await isFree(port)) return port;
  }
  return undefined;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .listen(port, () => probe.close(() => resolve(true)));
  });
}
