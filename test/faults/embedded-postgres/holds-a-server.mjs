import { startEphemeralServer } from '../../../scripts/embedded-postgres.mjs';

const { directory } = await startEphemeralServer();
process.send({ directory });
setInterval(() => {}, 60_000);
