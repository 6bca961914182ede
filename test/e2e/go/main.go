// The official Go SDK through every batch call, a message and a count of tokens: ends with an error at the first thing that is not as it should be.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
)

const model = "claude-haiku-4-5"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	// Address and key come from ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
	client := anthropic.NewClient()
	batches := client.Messages.Batches

	requests := []anthropic.MessageBatchNewParamsRequest{}
	for row := range 30 {
		requests = append(requests, anthropic.MessageBatchNewParamsRequest{
			CustomID: fmt.Sprintf("row-%d", row),
			Params: anthropic.MessageBatchNewParamsRequestParams{
				Model:     model,
				MaxTokens: 64,
				Messages: []anthropic.MessageParam{
					anthropic.NewUserMessage(anthropic.NewTextBlock(fmt.Sprintf("Row %d", row))),
				},
			},
		})
	}
	batch, err := batches.New(ctx, anthropic.MessageBatchNewParams{Requests: requests})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	for batch.ProcessingStatus != anthropic.MessageBatchProcessingStatusEnded {
		time.Sleep(20 * time.Millisecond)
		if batch, err = batches.Get(ctx, batch.ID, anthropic.MessageBatchGetParams{}); err != nil {
			return fmt.Errorf("retrieve: %w", err)
		}
	}
	if batch.RequestCounts.Succeeded != 30 {
		return fmt.Errorf("%d succeeded, not 30", batch.RequestCounts.Succeeded)
	}
	if err := results(ctx, client, batch.ID); err != nil {
		return err
	}
	if err := lists(ctx, client, batch.ID); err != nil {
		return err
	}
	if _, err := batches.Delete(ctx, batch.ID, anthropic.MessageBatchDeleteParams{}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	_, err = batches.Get(ctx, batch.ID, anthropic.MessageBatchGetParams{})
	var told *anthropic.Error
	if !errors.As(err, &told) || told.StatusCode != 404 || told.RequestID == "" {
		return fmt.Errorf("a deleted batch: want a 404 with a request id, got %v", err)
	}
	return messages(ctx, client)
}

func results(ctx context.Context, client anthropic.Client, id string) error {
	stream := client.Messages.Batches.ResultsStreaming(ctx, id, anthropic.MessageBatchResultsParams{})
	seen := map[string]bool{}
	for stream.Next() {
		line := stream.Current()
		succeeded, ok := line.Result.AsAny().(anthropic.MessageBatchSucceededResult)
		if !ok || len(succeeded.Message.Content) == 0 {
			return fmt.Errorf("%s has no message", line.CustomID)
		}
		if succeeded.Message.Usage.ServiceTier != anthropic.UsageServiceTierBatch {
			return fmt.Errorf("%s says tier %q", line.CustomID, succeeded.Message.Usage.ServiceTier)
		}
		seen[line.CustomID] = true
	}
	if stream.Err() != nil || len(seen) != 30 {
		return fmt.Errorf("results: %d lines, %v", len(seen), stream.Err())
	}
	return nil
}

func lists(ctx context.Context, client anthropic.Client, id string) error {
	pages := client.Messages.Batches.ListAutoPaging(ctx, anthropic.MessageBatchListParams{Limit: anthropic.Int(1)})
	found := false
	for pages.Next() {
		found = found || pages.Current().ID == id
	}
	if pages.Err() != nil || !found {
		return fmt.Errorf("list: found %t, %v", found, pages.Err())
	}
	batch, err := client.Messages.Batches.Cancel(ctx, id, anthropic.MessageBatchCancelParams{})
	if err != nil || batch.ProcessingStatus != anthropic.MessageBatchProcessingStatusEnded {
		return fmt.Errorf("canceling what has ended changes nothing: %v", err)
	}
	return nil
}

func messages(ctx context.Context, client anthropic.Client) error {
	prompt := []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Hello"))}
	params := anthropic.MessageNewParams{Model: model, MaxTokens: 64, Messages: prompt}
	message, err := client.Messages.New(ctx, params)
	if err != nil || len(message.Content) == 0 {
		return fmt.Errorf("a message: %w", err)
	}
	stream := client.Messages.NewStreaming(ctx, params)
	whole := anthropic.Message{}
	for stream.Next() {
		if err := whole.Accumulate(stream.Current()); err != nil {
			return fmt.Errorf("a stream: %w", err)
		}
	}
	if stream.Err() != nil || whole.StopReason == "" {
		return fmt.Errorf("a stream: %v, stopped by %q", stream.Err(), whole.StopReason)
	}
	count, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: model, Messages: prompt})
	if err != nil || count.InputTokens == 0 {
		return fmt.Errorf("a count of tokens: %v", err)
	}
	return nil
}
