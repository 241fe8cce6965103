import type { ProcessRow } from '../../../lib/dashboard/http-types.js';
import { cutText, formatNumber } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { Ago, Card, Loaded, Name, Table } from '../ui/parts.js';

const STATES: Readonly<Record<ProcessRow['state'], string>> = {
  claiming: 'takes tasks',
  paused: 'paused',
  away: 'lost its control connection',
  draining: 'is shutting down',
};

export function ProcessTable({ processes }: { processes: readonly ProcessRow[] }) {
  return (
    <Table
      label="Processes"
      columns={['Process', 'State', 'Tasks', 'Workflows', 'Tenants', 'Since']}
    >
      {processes.map(
        ({ id, name, isThis, state, claimed, slots, serves, tenants, tenantNames, since }) => (
          <tr key={id}>
            <td>
              <Name text={name} /> {isThis ? <span class="tag">this one</span> : null}
            </td>
            <td>
              <span class={`process ${state}`}>{STATES[state]}</span>
            </td>
            <td class="number">
              {formatNumber(claimed)} <span class="dim">of {formatNumber(slots)}</span>
            </td>
            <td title={cutText(serves.join(', '), 2_000)}>
              <bdi>{cutText(serves.slice(0, 3).join(', '), 60)}</bdi>
              {serves.length > 3 ? <span class="dim"> and {serves.length - 3} more</span> : null}
            </td>
            <td title={cutText(tenantNames.join(', '), 2_000)} class="number">
              {formatNumber(tenants)}
            </td>
            <td>
              <Ago at={since} />
            </td>
          </tr>
        ),
      )}
    </Table>
  );
}

export function ProcessesView() {
  const processes = useResource<{ items: ProcessRow[] }>('api/processes', '*');
  return (
    <>
      <div class="page-head">
        <h1>Processes</h1>
      </div>
      <Card title="Running now">
        <Loaded
          from={processes}
          isEmpty={({ items }) => items.length === 0}
          empty="No process runs: due tasks wait until one starts."
        >
          {({ items }) => <ProcessTable processes={items} />}
        </Loaded>
      </Card>
    </>
  );
}
