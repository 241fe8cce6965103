import { entriesOf } from '../measure/contenders.mjs';
import { interleave } from '../measure/rounds.mjs';
import { measureDrain, measureThroughput } from '../measure/throughput.mjs';

/**
 * A scenario that asks for executions a second, starts and work together. With `drain` the figures for work that was
 * all enqueued beforehand stand beside.
 */
export function throughputOf({
  name,
  title,
  shape,
  contenders,
  processes,
  schemas,
  seconds = 2,
  quickSeconds = 1,
  drain = 0,
}) {
  return {
    name,
    title,
    unit: 'executions/s',
    higherIsBetter: true,
    main: 'perSecond',
    async run({ server, rounds, quick, log }) {
      const entries = (await entriesOf(contenders)).filter(({ contender, configuration }) =>
        contender.canRun(shape, contender.configurations[configuration]),
      );
      const measure = async (entry) => {
        const settings = {
          server,
          entry,
          shape,
          processes,
          schemas,
          seconds: quick ? quickSeconds : seconds,
        };
        const figures = await measureThroughput(settings);
        const { canEnqueue = () => true, configurations } = entry.contender;
        if (drain === 0) return figures;
        if (!canEnqueue(configurations[entry.configuration]))
          return { ...figures, drainPerSecond: null };
        // Some seconds' worth for each: what a slow one does in them says as much.
        const count = Math.max(1, Math.round(Math.min(drain, figures.perSecond * 1.5)));
        return { ...figures, drainPerSecond: await measureDrain({ server, entry, shape, count }) };
      };
      return { rows: await interleave({ entries, rounds, main: 'perSecond', measure, log }) };
    },
  };
}
