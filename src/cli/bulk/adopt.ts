/** `nightshift adopt`: batches made elsewhere, or by a run whose folder is gone, come under a run; their rows are not bought again. */
import { Ledger } from '../../bulk/ledger/writer.ts';
import { openRowsAndPrompt } from '../../bulk/rows-and-prompt.ts';
import { makeFolder } from '../../bulk/run/folder.ts';
import { planRun } from '../../bulk/run/plan.ts';
import { systemWorld } from '../../bulk/run/world.ts';
import { drive } from './drive.ts';
import { CommandError, exits, type Exit } from './exits.ts';
import type { Given } from './read-flags.ts';
import { nameOf, specOf } from './spec.ts';
import { number, say } from './talk.ts';
import { commandFor, folderOf } from './where.ts';

export async function adopt(given: Given): Promise<Exit> {
  const { operands: ids, values } = given;
  if (values.input === null)
    throw new CommandError(
      exits.usage,
      'the rows of these batches are not named',
      'Add --input with the input they were made from, and -t and -m as they were.',
    );
  const name = nameOf(given, values.input);
  const asked = await specOf(given, { name, input: values.input });
  const folder = makeFolder(folderOf(given, name).path);
  const ledger = new Ledger(folder.state, { world: systemWorld });
  const rows = await openRowsAndPrompt({ spec: asked, folder, stdin: process.stdin }).catch((error: unknown) => {
    ledger.close();
    throw error;
  });
  try {
    const planned = await planRun({ folder, ledger, spec: asked, ...rows, world: systemWorld });
    if (planned.kind === 'changed')
      throw new CommandError(exits.changed, `run ${name} was started otherwise`, 'Name another with --name.');
    // Nothing is bought here: what is not in these batches stays pending until a resume.
    const spec = { ...planned.spec, spend: { ...planned.spec.spend, maxCostDollars: 0 } };
    const exit = await drive(
      given,
      { name, folder, spec, ledger, rows },
      {
        first: async (run, signal) => {
          for (const { batchId, rows: adopted, strangers } of await run.adopt(ids, signal))
            say(
              given,
              `adopt   ${batchId}: ${number(adopted)} rows${strangers === 0 ? '' : `, ${number(strangers)} of them strangers`}`,
            );
        },
      },
    );
    const { pending } = ledger.read.counts();
    if (pending > 0)
      say(
        given,
        `        ${number(pending)} rows are in none of them; buy them: ${commandFor(given, `resume ${name}`)}`,
      );
    return exit === exits.budget ? exits.done : exit;
  } finally {
    await rows.source.close();
    ledger.close();
  }
}
