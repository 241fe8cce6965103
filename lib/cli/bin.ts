import { main } from './main.js';
import { terminalOf } from './terminal.js';

// A reader that has seen enough (`… | head`) closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
// Not process.exit(): output to a pipe may still be buffered.
process.exitCode = await main(process.argv.slice(2), terminalOf(process));
