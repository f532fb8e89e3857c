/** Cuts in the case that is about them, in this Node: 100, or as many as $STENTOR_TEST_CUTS says. */
export function cutsWanted(): number {
  return Number(process.env.STENTOR_TEST_CUTS ?? 100);
}

/** In other places, to which the same code has been brought: 20, or as many as $STENTOR_TEST_CUTS says. */
export function cutsElsewhere(): number {
  return Number(process.env.STENTOR_TEST_CUTS ?? 20);
}
