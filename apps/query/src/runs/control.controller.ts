import { Controller, Inject } from '@nestjs/common';
import type { DagCommand, InstanceSelection } from '@rondo/contracts';
import { defined } from '../http/defined.ts';
import { Input, Route, type InputOf } from '../http/operation.ts';
import * as operations from './control.operations.ts';
import { ControlService, type Changes, type RunChoice } from './control.service.ts';

type ClearBody = Omit<InputOf<typeof operations.clearRun>['body'], 'includePast' | 'includeFuture'>;
type Hold = Pick<InputOf<typeof operations.holdRun>, 'params' | 'body' | 'actor'>;

@Controller('api/v1')
export class ControlController {
  constructor(@Inject(ControlService) private readonly control: ControlService) {}

  @Route(operations.clearRun)
  async clear(@Input() { params, body, actor }: InputOf<typeof operations.clearRun>) {
    const { dagId, runId } = params;
    const { includePast = false, includeFuture = false, ...clearing } = body;
    if (!includePast && !includeFuture) return this.control.touch(dagId, actor, clearOf(clearing)(runId));
    const choice = await this.control.around(dagId, runId, includePast, includeFuture);
    return this.control.touchRuns(dagId, actor, choice, clearOf(clearing));
  }

  @Route(operations.clearRuns)
  clearRuns(@Input() { params, body, actor }: InputOf<typeof operations.clearRuns>) {
    const { runIds, logicalDateGte, logicalDateLte, ...clearing } = body;
    const choice = defined<RunChoice>({ runIds, logicalDateGte, logicalDateLte });
    return this.control.touchRuns(params.dagId, actor, choice, clearOf(clearing));
  }

  @Route(operations.markRun)
  async mark(@Input() { params, body, actor }: InputOf<typeof operations.markRun>) {
    const { dagId, runId } = params;
    const { state, includePast = false, includeFuture = false, ...named } = body;
    const commandOf = (id: string): DagCommand =>
      !operations.names(named) && state !== 'skipped'
        ? { type: 'markRun', runId: id, state }
        : { type: 'markTasks', runId: id, selection: defined<InstanceSelection>(named), state };
    if (!includePast && !includeFuture) return this.control.touch(dagId, actor, commandOf(runId));
    const choice = await this.control.around(dagId, runId, includePast, includeFuture);
    return this.control.touchRuns(dagId, actor, choice, commandOf);
  }

  @Route(operations.markRuns)
  markRuns(@Input() { params, body, actor }: InputOf<typeof operations.markRuns>) {
    const { state, runIds, logicalDateGte, logicalDateLte, ...named } = body;
    const choice = defined<RunChoice>({ runIds, logicalDateGte, logicalDateLte });
    const selection = defined<InstanceSelection>(named);
    return this.control.touchRuns(params.dagId, actor, choice, (runId) => ({
      type: 'markTasks',
      runId,
      selection,
      state,
    }));
  }

  @Route(operations.abortRun)
  abort(@Input() { params, actor }: InputOf<typeof operations.abortRun>) {
    return this.control.abort(params.dagId, params.runId, actor);
  }

  @Route(operations.eraseRun)
  erase(@Input() { params, actor }: InputOf<typeof operations.eraseRun>) {
    return this.control.erase(params.dagId, params.runId, actor);
  }

  @Route(operations.archiveRun)
  archive(@Input() { params, actor }: InputOf<typeof operations.archiveRun>) {
    return this.control.archive(params.dagId, params.runId, actor);
  }

  @Route(operations.restoreRun)
  restore(@Input() { params, actor }: InputOf<typeof operations.restoreRun>) {
    return this.control.restore(params.dagId, params.runId, actor);
  }

  @Route(operations.holdRun)
  hold(@Input() input: InputOf<typeof operations.holdRun>) {
    return this.setHold(input, true);
  }

  @Route(operations.releaseRun)
  release(@Input() input: InputOf<typeof operations.releaseRun>) {
    return this.setHold(input, false);
  }

  @Route(operations.patchRun)
  patchRun(@Input() { params, body, actor }: InputOf<typeof operations.patchRun>) {
    return this.control.patchRun(params.dagId, params.runId, defined<Changes>(body), actor);
  }

  @Route(operations.patchTask)
  patchTask(@Input() { params, body, actor }: InputOf<typeof operations.patchTask>) {
    const { mapIndex, ...changes } = body;
    const { dagId, runId, taskId } = params;
    const selection = defined<InstanceSelection>({ taskIds: [taskId], mapIndex });
    return this.control.patchTasks(dagId, runId, selection, defined<Changes>(changes), actor);
  }

  @Route(operations.getRunReasons)
  reasons(@Input() { params, actor }: InputOf<typeof operations.getRunReasons>) {
    return this.control.reasons(params.dagId, params.runId, actor);
  }

  private setHold({ params, body = {}, actor }: Hold, held: boolean) {
    const { dagId, runId } = params;
    const command: DagCommand = operations.names(body)
      ? { type: 'holdTasks', runId, selection: defined<InstanceSelection>(body), held }
      : { type: 'holdRun', runId, held };
    return this.control.touch(dagId, actor, command);
  }
}

function clearOf(body: ClearBody): (runId: string) => DagCommand {
  const { latestVersion, onlyNew, resetDagRun, ignoreDependsOnPast, preventRunning, note, dryRun, ...named } = body;
  const flags = { latestVersion, onlyNew, resetDagRun, ignoreDependsOnPast, preventRunning, note, dryRun };
  const selection = defined<InstanceSelection>(named);
  return (runId) => ({ type: 'clearTasks', runId, selection, ...defined(flags) });
}
