import { type Command, Option } from 'commander';
import { date, pastTime, tag, wholeNumber } from '../../option-values.js';
import type { RunCommand } from '../../run-command.js';
import { cancel, retry } from './control.js';
import { explain } from './explain.js';
import { listExecutions } from './list.js';
import { show } from './show.js';
import { sendSignal } from './signal.js';
import { start } from './start.js';

const STATUSES = ['Pending', 'Running', 'Paused', 'Finishing', 'Completed', 'Failed', 'Cancelled'];

export function addExecutions(program: Command, run: RunCommand): void {
  const executions = program
    .command('executions')
    .description('See, start and control executions of one tenant.');
  executions
    .command('list')
    .description('List executions, the newest first.')
    .option('--workflow <name>', 'only of this workflow')
    .addOption(
      new Option('--status <status...>', 'only with one of these statuses').choices(STATUSES),
    )
    .option('--tag <key=value>', 'only with this tag; can be repeated', tag)
    .option('--key <key>', 'only with this idempotency key')
    .option('--waiting-for <name>', 'only those that wait for this signal or event')
    .option('--since <time>', 'only created after this date or time span, such as 2h', pastTime)
    .option('--until <time>', 'only created before this date or time span', pastTime)
    .option('--limit <number>', 'at most this many, 1 to 500', wholeNumber(1, 500), 50)
    .option('--cursor <cursor>', 'the nextCursor of the page before')
    .action(run(listExecutions));
  executions
    .command('show')
    .description('Show one execution with its tasks, errors and attempts.')
    .argument('<id>', 'the id of the execution')
    .option('--history', 'also what has happened, in order')
    .action(run(show));
  executions
    .command('explain')
    .description('Say why an execution has not ended: for each open task, what it waits for.')
    .argument('<id>', 'the id of the execution')
    .action(run(explain));
  executions
    .command('start')
    .description(
      'Start an execution by the newest stored definition of a workflow. The schema of its input is code, so the input is not checked by it.',
    )
    .argument('<workflow>', 'the name of the workflow')
    .option('--input <json>', 'the input: a JSON object, a file as @name, or - for standard input')
    .option('--key <key>', 'the idempotency key: an execution with it is not started again')
    .option('--tag <key=value>', 'a tag; can be repeated', tag)
    .option('--priority <number>', 'the priority', wholeNumber(-2_147_483_648, 2_147_483_647))
    .option('--delay <duration>', 'begin after this time, such as 10m')
    .option('--run-at <time>', 'begin at this time', date)
    .action(run(start));
  executions
    .command('cancel')
    .description('Cancel executions that have not ended. Asks before.')
    .argument('<ids...>', 'the ids of the executions')
    .option('--reason <text>', 'stored with the execution')
    .action(run(cancel));
  executions
    .command('retry')
    .description(
      'Run the failed and cancelled tasks of ended executions again, and what depends on them.',
    )
    .argument('<ids...>', 'the ids of the executions')
    .option('--discard-steps', 'run the finished steps of these tasks again too')
    .option('--all-items', 'run all items of maps again, and not only the failed ones')
    .action(run(retry));
  executions
    .command('signal')
    .description('Send a signal. Its schema is code, so the payload is not checked by it.')
    .argument('<id>', 'the id of the execution')
    .argument('<name>', 'the name of the signal')
    .option('--payload <json>', 'JSON, a file as @name, or - for standard input', 'null')
    .option('--key <key>', 'the idempotency key: a second signal with it is dropped')
    .action(run(sendSignal));
}
