/** Bugs planted on purpose, at least three for most promises: a simulation that does not find them proves nothing by finding none. */
import { createsBugs, endsBugs, isolationBugs, resultsBugs } from './planted-faces.ts';
import { billedBugs, countedBugs, honestBugs, keptBugs, linesBugs } from './planted-lines.ts';
import { acceptedBugs, cleaningBugs, journalBugs } from './planted-storage.ts';
import type { PlantedBug } from './planting.ts';

export const plantedBugs: readonly PlantedBug[] = [
  ...acceptedBugs,
  ...linesBugs,
  ...honestBugs,
  ...journalBugs,
  ...keptBugs,
  ...countedBugs,
  ...billedBugs,
  ...endsBugs,
  ...resultsBugs,
  ...isolationBugs,
  ...createsBugs,
  ...cleaningBugs,
];
