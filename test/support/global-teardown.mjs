import { dropTemplate } from './template.mjs';

/** Stops the servers that `global-setup.mjs` started. They would end with this process too, but a little later. */
export default async function tearDown() {
  await taken('cloacina.test.secondServer')?.stop();
  const server = taken('cloacina.test.server');
  if (server === undefined) return dropTemplate();
  delete process.env.DATABASE_URL; // in watch mode the next run starts another one
  await server.stop();
}

function taken(name) {
  const key = Symbol.for(name);
  const server = globalThis[key];
  delete globalThis[key];
  return server;
}
