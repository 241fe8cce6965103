import type { INestApplication } from '@nestjs/common';

const DEFAULT_PORT = 3000;
const PORTS_TO_TRY = 20;

/** Listens on the port that was asked for, or on 3000 or the next one that is free, and returns the URL. */
export async function listen(app: INestApplication, wanted: number | undefined): Promise<string> {
  const first = wanted ?? DEFAULT_PORT;
  const last = wanted ?? DEFAULT_PORT + PORTS_TO_TRY - 1;
  for (let port = first; ; port++) {
    try {
      await app.listen(port);
      const { port: bound } = app.getHttpServer().address();
      return `http://localhost:${bound}`;
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (port === last) {
        const which = first === last ? `Port ${first} is` : `Ports ${first} to ${last} are`;
        throw new Error(`${which} taken. Choose another one: PORT=8080 npm start`, {
          cause: error,
        });
      }
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
