import { measureRecovery } from '../recovery.mjs';
import { measureRestarts } from '../restart.mjs';

const KILLS = 40;
const RESTARTS = 20;

export const recovery = {
  name: 'recovery',
  title: 'Milliseconds from the loss of a process to its 20 tasks running again, and of restarts',
  run: async ({ server, quick }) => ({
    tables: [
      await measureRecovery(server.url, quick ? 5 : KILLS),
      await measureRestarts(server.url, quick ? 5 : RESTARTS),
    ],
  }),
};
