import { measureRecovery } from '../recovery.mjs';

const KILLS = 40;

export const recovery = {
  name: 'recovery',
  title: 'Milliseconds from the loss of a process to its 20 tasks running again',
  run: async ({ server, quick }) => ({
    tables: [await measureRecovery(server.url, quick ? 5 : KILLS)],
  }),
};
