// The hooks in code of the scenario `hooks`: what they cost if they decide nothing.
const ALLOWED = { allow: true };

export const subscribe = () => ALLOWED;
export const publish = () => ALLOWED;
