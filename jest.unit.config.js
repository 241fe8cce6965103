import { unit, wholeRun } from './jest.config.js';

/** `npm run test:unit`: no PostgreSQL is started. */
export default { ...wholeRun, ...unit };
