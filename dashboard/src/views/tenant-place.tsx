import type { TenantMoveRow, TenantOverview } from '../../../lib/dashboard/http-types.js';
import { tenantApi } from '../core/api.js';
import { cutText, formatBytes } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { Ago, Name, Sentence } from '../ui/parts.js';

const DOES: Readonly<Record<TenantMoveRow['state'], string>> = {
  copying: 'moves to',
  stopping: 'moves to',
  moved: 'has moved to',
  arriving: 'arrives from',
};

const MEANS: Readonly<Record<TenantMoveRow['state'], string>> = {
  copying: 'Its rows are copied, and it works as usual.',
  stopping: 'Its work has stopped until the move ends.',
  moved: 'This process is about to serve it there.',
  arriving: 'Its copy is not complete.',
};

type Progress = NonNullable<TenantMoveRow['progress']>;

const PHASES: Readonly<Record<Progress['phase'], string>> = {
  preparing: 'Preparing',
  copying: 'Copying all rows',
  catchingUp: 'Copying what has changed since',
  stopping: 'Waiting for running tasks',
  carrying: 'Carrying the last changes over',
  switching: 'Switching to the new server',
  validating: 'Checking foreign keys',
};

/** A move in the row of a tenant. */
export function MoveMark({ of: { state, peer, since, isInterrupted } }: { of: TenantMoveRow }) {
  return (
    <span class={isInterrupted ? 'move bad' : 'move'}>
      {DOES[state]} {peer === undefined ? 'another server' : <Name text={peer} max={24} />}{' '}
      {isInterrupted ? '· interrupted ' : ''}
      <span class="dim">
        <Ago at={since} />
      </span>
    </span>
  );
}

/** The servers with copies that moves have left. */
export function CopiesMark({ on }: { on: readonly string[] }) {
  return (
    <span class="move dim">
      copy left on <Name text={on.join(', ')} max={48} />
    </span>
  );
}

/** Where the tenant of a view is: its server, its move to another one, and what is wrong with it. */
export function TenantPlace({ tenant }: { tenant: string }) {
  // That a move was interrupted is found by reading, and told with the numbers of all tenants.
  const { data } = useResource<TenantOverview>(tenantApi(tenant), tenant, '*');
  if (data === undefined) return null;
  const { server, move, problem, leftOn = [] } = data;
  const lives =
    server === undefined ? null : (
      <>
        <Name text={tenant} max={40} /> is on server <Name text={server} max={40} />
      </>
    );
  if (move === undefined && problem === undefined && leftOn.length === 0)
    return lives === null ? null : <p class="where dim small">{lives}</p>;
  return (
    <aside
      class={problem === undefined ? 'banner where' : 'banner where failed'}
      aria-label="Where the tenant is"
    >
      {move === undefined ? null : (
        <p>
          {lives}
          {lives === null ? null : ', and '}
          <MoveMark of={move} />
        </p>
      )}
      {leftOn.length === 0 ? null : (
        <p class="dim">
          {move === undefined ? lives : null}
          {move === undefined && lives !== null ? ', ' : null}
          <CopiesMark on={leftOn} />. If the tenant works here, drop it:{' '}
          <code>{`npx nestjs-cloacina tenants move ${cutText(tenant, 80)} --finish`}</code>
        </p>
      )}
      {problem === undefined ? null : (
        <p class="bad" role="alert">
          <Sentence text={problem} />
        </p>
      )}
      {problem === undefined && move !== undefined ? <p class="dim">{MEANS[move.state]}</p> : null}
      {move?.progress === undefined ? null : <Progress of={move.progress} />}
      {move?.isInterrupted === true && move.peer !== undefined ? (
        <WayOut tenant={tenant} peer={move.peer} />
      ) : null}
    </aside>
  );
}

function Progress({ of: { phase, tables, bytes } }: { of: Progress }) {
  return (
    <div class="move-progress">
      <progress max={Math.max(1, tables.total)} value={tables.done} aria-label="Tables copied" />
      <p class="dim small">
        {PHASES[phase]} · {tables.done} of {tables.total} tables, {formatBytes(bytes)} sent
      </p>
    </div>
  );
}

/** What an operator does. Only users who may see the other server are told. */
function WayOut({ tenant, peer }: { tenant: string; peer: string }) {
  const [name, to] = [tenant, peer].map((text) => cutText(text, 80));
  return (
    <details>
      <summary>How to go on</summary>
      <p>
        In the application: <code>{`tenants.move('${name}', { to: '${to}' })`}</code>
      </p>
      <p>
        Without tables of the application:{' '}
        <code>{`npx nestjs-cloacina tenants move ${name} --to ${to}`}</code>
      </p>
      <p>
        <code>npx nestjs-cloacina doctor</code> names the move as <code>unfinished-move</code>.
      </p>
    </details>
  );
}
