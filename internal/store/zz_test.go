package store
import ("testing";"context";"github.com/messngr/messngr")
func BenchmarkNew(b *testing.B){ for b.Loop(){ newMessage() } }
func BenchmarkGroupOnly(b *testing.B){ g:=newGroup(func(r []request){}, func(){}); defer g.close(); benchmark(b,64,func(ctx context.Context,m *messngr.Message) error { return g.submit(ctx,request{message:m})}) }
