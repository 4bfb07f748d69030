// The three surfaces that carry blocks, closed over the blocks that Slack documents.
// @slack/types allows any {type: string} beside them (AnyBlock), which would let every mistake pass.
import type { HomeView, KnownBlock, ModalView } from '@slack/types';

export interface Surfaces {
  message: { blocks: KnownBlock[] };
  modal: Omit<ModalView, 'blocks'> & { blocks: KnownBlock[] };
  home: Omit<HomeView, 'blocks'> & { blocks: KnownBlock[] };
}
