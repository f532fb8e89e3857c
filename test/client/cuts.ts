/** Cuts in the case that is about them: 100, or as many as $STENTOR_TEST_CUTS says. */
export function cutsWanted(): number {
  return Number(process.env.STENTOR_TEST_CUTS ?? 100);
}
